"""A real SMTP server that keeps the mails that it takes."""

import socketserver
import threading
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Mail:
    sender: str
    receivers: list[str]
    message: EmailMessage

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part is not None
        return part.get_content()


class SmtpServer:
    """Takes every mail; `refuse` makes it answer 451 to each, for now."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuse = False
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, sender: str = "mediaflow@example.com", to: str = "ops@example.org") -> str:
        return f"mailto://127.0.0.1:{self.port}/?from={sender}&to={to}"

    def __enter__(self) -> "SmtpServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 30) -> list[Mail]:
        deadline = time.monotonic() + seconds
        while len(self.mails) < count:
            assert time.monotonic() < deadline, f"{len(self.mails)} of {count} mails came"
            time.sleep(0.01)
        return self.mails

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 test")
                sender, receivers = "", list[str]()
                while line := self.rfile.readline().decode().strip():
                    word = line.split()[0].upper()
                    if word == "MAIL":
                        sender, receivers = line.partition(":")[2].split()[0].strip("<>"), []
                    elif word == "RCPT":
                        receivers.append(line.partition(":")[2].strip().strip("<>"))
                    elif word == "DATA":
                        self._say("354 go on")
                        self._take(sender, receivers)
                        continue
                    self._say("221 bye" if word == "QUIT" else "250 ok")
                    if word == "QUIT":
                        return

            def _take(self, sender: str, receivers: list[str]) -> None:
                lines: list[bytes] = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                if outer.refuse:
                    self._say("451 not now")
                    return
                message = message_from_bytes(b"".join(lines), policy=policy.default)
                assert isinstance(message, EmailMessage)
                outer.mails.append(Mail(sender, receivers, message))
                self._say("250 taken")

            def _say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

        return Handler
