"""What the services are put together from."""

from admin.mail import Mail
from admin.passwords import Passwords
from admin.provider import Provider
from admin.settings import Settings
from serving.metrics import CallMetrics
from store.attempts import Attempts
from store.database import Database


class Parts:
    """The base of the parts of a servicer, each of which has the RPCs of one subject."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        mail: Mail | None,
        provider: Provider | None,
        settings: Settings,
        metrics: CallMetrics,
        attempts: Attempts,
    ) -> None:
        self.database = database
        self.passwords = passwords
        self.mail = mail
        self.provider = provider
        self.settings = settings
        self.metrics = metrics
        self.attempts = attempts
