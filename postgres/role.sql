-- The role that imgproc works as: no superuser, so it cannot use the connections that are reserved for administrators.
-- Runs at every start, so a password that changed in .env is changed in the database too.
\getenv password POSTGRES_PASSWORD
SELECT 'CREATE ROLE imgproc_app' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'imgproc_app') \gexec
ALTER ROLE imgproc_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';

-- The superuser has no password: it comes by the socket, which only this container and the server share.
ALTER ROLE imgproc PASSWORD NULL;

-- The owner of the database may create in the schema public. Tables that the superuser made change their owner.
ALTER DATABASE imgproc OWNER TO imgproc_app;
ALTER SCHEMA public OWNER TO pg_database_owner;
SELECT format('ALTER TABLE %s OWNER TO imgproc_app', oid::regclass) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND relowner <> 'imgproc_app'::regrole \gexec
