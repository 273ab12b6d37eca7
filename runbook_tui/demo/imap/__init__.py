"""A small IMAP4rev1 server over Maildirs kept as Dovecot keeps them, so that rsync carries UIDs over."""
