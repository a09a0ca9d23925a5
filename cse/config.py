"""The policy values of the core. Each is a setting of the configuration file; bindings.config reads it."""

from dataclasses import dataclass, field
from typing import Any


def setting(default: Any, doc: str, section: str = "") -> Any:
    """Declare a field of a settings dataclass: its default, a sentence for file and reference, and its section when it is not that of the class."""
    return field(default=default, metadata={"doc": doc, "section": section})


@dataclass(frozen=True, slots=True)
class Settings:
    """Who this CSE is and what it permits; times in seconds. Replaced as a whole (``dataclasses.replace``) when a policy changes while it runs."""

    cse_id: str = setting("/id-in", "CSE-ID, SP-relative: a slash and the identifier.")
    cse_name: str = setting("cse-in", "Resource name of the CSEBase.")
    cse_type: int = setting(1, "cseTypeID: 1 IN-CSE, 2 MN-CSE, 3 ASN-CSE.")
    sp_id: str = setting("//acme.example.com", "M2M service provider identifier: two slashes and a domain name.")
    admin: str = setting("CAdmin", "Originator that may do everything.")
    authenticated: tuple[str, ...] = setting((), "Originators that are only believed when the transport has authenticated them.", "registration")
    supported_releases: tuple[str, ...] = setting(("2a", "3", "4", "5"), "Release versions (rvi) that are accepted.")
    release: str = setting("4", "Release version of requests that this CSE makes.")
    points_of_access: tuple[str, ...] = setting((), "URLs at which others reach this CSE; when empty, those it listens at.")
    serializations: tuple[str, ...] = setting(("json", "cbor"), "Serialisations that contentSerialization of the CSEBase names.")

    allowed_ae_originators: tuple[str, ...] = setting(("C*", "S*"), "AE-ID stems that may register; * stands for any text.", "registration")
    allowed_app_ids: tuple[str, ...] = setting(("*",), "App-IDs (api) that may register; * stands for any text.", "registration")
    allowed_cse_originators: tuple[str, ...] = setting((), "CSE-IDs that may register; * stands for any text.", "registration")
    routes: tuple[str, ...] = setting((), "CSEs reached without a registration: CSE-ID, a blank, URL; such as '/id-mn http://gw:8080'.", "registration")
    base_policies: tuple[str, ...] = setting((), "Access control policies (acpi) of the CSEBase; without, every registree may look at it.", "registration")
    acp_create_open: bool = setting(False, "Whether every originator may create an accessControlPolicy under the CSEBase.", "registration")
    default_ae_stem: str = setting("C", "First letter of the AE-ID stem given to an AE that registers without one: C or S.", "registration")

    max_expiration: float = setting(157_680_000.0, "Longest life of a resource; a later expirationTime is shortened (5 years).", "limits")
    default_expiration: float = setting(31_536_000.0, "Life of a resource created without expirationTime (1 year).", "limits")
    expiration_check_interval: float = setting(5.0, "Time between two searches for expired resources.", "limits")
    expiration_chunk: int = setting(500, "Expired resources removed in one transaction.", "limits")
    request_timeout: float = setting(10.0, "Time a request may take that has no requestExpirationTimestamp.", "limits")
    longest_request: float = setting(3600.0, "Longest time a request may take, whatever its requestExpirationTimestamp.", "limits")
    deferred_requests: int = setting(10_000, "Most non-blocking requests under way; beyond them the answer is 5000.", "limits")
    result_lifetime: float = setting(3600.0, "Time the result of a non-blocking request is kept that says nothing of it (rset, rp).", "limits")
    discovery_limit: int = setting(1000, "Most results of one discovery or listing of children; the rest is told by cnst and cnot.", "limits")
    max_group_nesting: int = setting(8, "Groups within groups that a fan-out follows.", "limits")
    max_group_members: int = setting(10_000, "Most members of a group.", "limits")
    member_retry_interval: float = setting(60.0, "Time until group members that could not be reached are asked for their type again.", "limits")
    max_tree_depth: int = setting(60, "Levels of resources below the CSEBase, without instances: what is deeper could not be shown in one answer.", "limits")
    max_name_length: int = setting(255, "Characters of a resource name.", "limits")

    default_batch_seconds: float = setting(60.0, "Longest collection of a batch whose batchNotify has a number but no duration.", "notification")
    max_stored: int = setting(
        100_000, "Most notifications stored for one target; beyond it those of the lowest priority (nsp) go, the oldest first; 0 for no bound.", "notification"
    )
    default_aggregation_seconds: float = setting(1.0, "Collection of notifications in a group without notifyAggregation.", "notification")
