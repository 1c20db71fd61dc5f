"""What tests share: servers in software, foreign files, a stage watched from outside."""
