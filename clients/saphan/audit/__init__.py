"""The auditor: public logs and record packs as files, verified offline without any private key."""
