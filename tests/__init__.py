"""The tests, as a package: `from tests.servers.chat import ChatServer`."""
