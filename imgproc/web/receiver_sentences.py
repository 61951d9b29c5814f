"""What the engine says about the receivers of webhooks, marked for translation as in `engine_sentences`."""

from __future__ import annotations

from imgproc.web.texts import N_

SENTENCES = (
    N_("Your receiver at {host} answered {status}; {part_remedy}."),
    N_(
        "Your receiver at {host} answered {status} with an HTML page, so perhaps a website or a proxy answered in its "
        "place; {part_remedy}."
    ),
    N_("Your receiver at {host} redirects to {url} ({status}), and webhooks follow no redirect; {part_remedy}."),
    N_(
        "Your receiver at {host} redirects without a Location ({status}), and webhooks follow no redirect; "
        "{part_remedy}."
    ),
    N_("This counts as delivered, but an HTML page came back; check that the URL is your receiver's."),
    N_("{host} refuses connections; {part_remedy}."),
    N_("{host} did not accept a connection in time; {part_remedy}."),
    N_("{host} was not found; {part_remedy}."),
    N_("{host} could not be looked up, because DNS did not answer; {part_remedy}."),
    N_("{host} did not answer in time; {part_remedy}."),
    N_("{host} closed the connection before it had answered; {part_remedy}."),
    N_("{host} answered something that is not HTTP; {part_remedy}."),
    N_("{host} has a certificate for another name; {part_remedy}."),
    N_("{host} has a certificate that has expired; {part_remedy}."),
    N_("{host} has a self-signed certificate; {part_remedy}."),
    N_("{host} has a certificate of an authority that is not trusted; {part_remedy}."),
    N_("{host} is at a private or reserved address; {part_remedy}."),
)
PARTS = (
    N_("it must accept the POST without a login, and check the signature instead"),
    N_(
        "let it verify the signature over the raw body, with the secret of this caller, and ignore members it does not "
        "know"
    ),
    N_("read the log of its application; let it answer 2xx first, and do slow work afterwards"),
    N_("its proxy got no answer from the application: check that it runs, and that it answers 2xx at once"),
    N_(
        "a firewall, bot protection or CSRF check refuses the POST: exempt this URL from it, and check the signature "
        "instead"
    ),
    N_("it has nothing at this path: check the webhook URL, and that this version of the receiver is deployed"),
    N_("this path takes no POST: give the URL of a route that does, or add one"),
    N_("it did not wait for the whole body: raise its time limit for reading a request"),
    N_("that ends the attempts for good; once it accepts webhooks again, redeliver this one"),
    N_("let it accept a body of up to 20 kB"),
    N_("let it accept a body of application/json"),
    N_("its CSRF check refuses the POST: exempt this URL from it, and check the signature instead"),
    N_("give its https URL"),
    N_("raise its rate limit for this URL; its Retry-After decides when the next attempt comes, if it sends one"),
    N_("it is overloaded or stopped; its Retry-After decides when the next attempt comes, if it sends one"),
    N_("Cloudflare cannot reach the server behind it: check that it runs"),
    N_("let it answer 2xx; the log shows the beginning of its answer"),
    N_("give its final URL"),
    N_("start it, and let its firewall accept connections on the port of the webhook URL"),
    N_("check the host name of the webhook URL, and that public DNS has it"),
    N_(
        "give a webhook URL with a public address and port 80 or 443 (a tunnel has one while you test), or have its "
        "network opened with ALLOWED_NETWORKS"
    ),
    N_("check that it is up, and let it answer 2xx at once and do slow work afterwards"),
    N_("give it a valid certificate for this host name, with its chain, and TLS 1.2 or newer"),
    N_("check that the port and the http or https of the webhook URL are those of your receiver"),
    N_(
        "check that its application runs, and that no proxy or firewall before it ends the connection; on a port for "
        "TLS, give the https URL"
    ),
)
