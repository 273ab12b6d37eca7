"""The embedded world's IMAP server, its files, and Dovecot's commands."""
