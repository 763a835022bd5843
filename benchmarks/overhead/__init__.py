"""What ``@notify_user`` costs, beside a signal handler written by hand."""
