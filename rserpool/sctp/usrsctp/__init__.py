"""The usrsctp backend: SCTP in this process over UDP (RFC 9260, RFC 6951), through libusrsctp."""
