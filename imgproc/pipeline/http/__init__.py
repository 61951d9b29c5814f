"""All outgoing HTTP to untrusted hosts: sessions, the addresses they may reach, deadlines, and failures."""
