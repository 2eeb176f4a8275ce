"""Mail to users, where a server for it is set."""


class Mail:
    def send_reset(self, to: str, token: str) -> None:
        raise NotImplementedError
