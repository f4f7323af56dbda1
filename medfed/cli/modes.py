"""Settings that make life easy for tests and dangerous for patients: said at every start, and by the doctor."""

from medfed.settings import Settings


def warnings(settings: Settings) -> list[str]:
    """What must not be so on an instance that real people use; said loudly at every start."""
    found = []
    if settings.registration.confirm == "none":
        found.append('registration.confirm = "none": addresses are not confirmed, and passwords buy tokens; tests only')
    if not settings.limits.enabled:
        found.append("limits.enabled = false: nothing is limited; tests and benchmarks only")
    if settings.federation.allow_http:
        found.append("federation.allow_http = true: peers are reached without encryption; development only")
    if settings.registration.mode == "open":
        found.append('registration.mode = "open": anybody becomes a member without being looked at')
    return found
