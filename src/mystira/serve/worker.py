"""The worker as a process."""

from mystira.gateways.outside import open_payments
from mystira.platform import open_platform
from mystira.serve.signals import told_to_stop
from mystira.services.worker import work_until
from mystira.settings import Settings
from mystira.supervisor import announce_ready


async def serve_worker(settings: Settings) -> None:
    """Work until told to stop. Raises SettingError, UnavailableError."""
    with told_to_stop() as told:
        async with (
            open_platform(settings, role="worker") as platform,
            open_payments(settings, platform.clock) as payments,
        ):
            announce_ready()
            await work_until(told, platform, payments)
