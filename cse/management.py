"""The words of device management: its enumerations and complex types (TS-0004 6.3.4, 6.3.5; those of device configuration: TS-0022)."""

from collections.abc import Mapping
from enum import IntEnum

from cse.datatypes import (
    ANY,
    ANY_URI,
    DICT,
    IPV4,
    IPV6,
    NC_NAME,
    NON_NEG_INT,
    POSITIVE_INT,
    RESOURCE_NAME,
    STRING,
    TIMESTAMP,
    UNSIGNED_INT,
    DataType,
    Member,
    enum_of,
    list_of,
    numbers_of,
    structure,
)
from cse.structures import MGMT_DEFINITION


class Status(IntEnum):
    """status (TS-0004 6.3.4.2.20)."""

    UNINITIALIZED = 0
    SUCCESSFUL = 1
    FAILURE = 2
    IN_PROCESS = 3


class BatteryStatus(IntEnum):
    """batteryStatus (TS-0004 6.3.4.2.21)."""

    NORMAL = 1
    CHARGING = 2
    CHARGING_COMPLETE = 3
    DAMAGED = 4
    LOW_BATTERY = 5
    NOT_INSTALLED = 6
    UNKNOWN = 7


class LogTypeId(IntEnum):
    """logTypeId (TS-0004 6.3.4.2.23)."""

    SYSTEM = 1
    SECURITY = 2
    EVENT = 3
    TRACE = 4
    PANIC = 5


class LogStatus(IntEnum):
    """logStatus (TS-0004 6.3.4.2.24)."""

    STARTED = 1
    STOPPED = 2
    UNKNOWN = 3
    NOT_PRESENT = 4
    ERROR = 5


class CmdType(IntEnum):
    """cmdType (TS-0004 6.3.4.2.13)."""

    RESET = 1
    REBOOT = 2
    UPLOAD = 3
    DOWNLOAD = 4
    SOFTWAREINSTALL = 5
    SOFTWAREUNINSTALL = 6
    SOFTWAREUPDATE = 7


class ExecModeType(IntEnum):
    """execModeType (TS-0004 6.3.4.2.14)."""

    IMMEDIATEONCE = 1
    IMMEDIATEREPEAT = 2
    RANDOMONCE = 3
    RANDOMREPEAT = 4


class ExecStatusType(IntEnum):
    """execStatusType (TS-0004 6.3.4.2.15)."""

    INITIATED = 1
    PENDING = 2
    FINISHED = 3
    CANCELLING = 4
    CANCELLED = 5
    STATUS_NON_CANCELLABLE = 6


class ExecResultType(IntEnum):
    """execResultType (TS-0004 6.3.4.2.16)."""

    STATUS_SUCCESS = 0
    STATUS_REQUEST_UNSUPPORTED = 1
    STATUS_REQUEST_DENIED = 2
    STATUS_CANCELLATION_DENIED = 3
    STATUS_INTERNAL_ERROR = 4
    STATUS_INVALID_ARGUMENTS = 5
    STATUS_RESOURCES_EXCEEDED = 6
    STATUS_FILE_TRANSFER_FAILED = 7
    STATUS_FILE_TRANSFER_SERVER_AUTHENTICATION_FAILURE = 8
    STATUS_UNSUPPORTED_PROTOCOL = 9
    STATUS_UPLOAD_FAILED = 10
    STATUS_FILE_TRANSFER_FAILED_MULTICAST_GROUP_UNABLE_JOIN = 11
    STATUS_FILE_TRANSFER_FAILED_SERVER_CONTACT_FAILED = 12
    STATUS_FILE_TRANSFER_FAILED_FILE_ACCESS_FAILED = 13
    STATUS_FILE_TRANSFER_FAILED_DOWNLOAD_INCOMPLETE = 14
    STATUS_FILE_TRANSFER_FAILED_FILE_CORRUPTED = 15
    STATUS_FILE_TRANSFER_FILE_AUTHENTICATION_FAILURE = 16
    STATUS_FILE_TRANSFER_WINDOW_EXCEEDED = 19
    STATUS_INVALID_UUID_FORMAT = 20
    STATUS_UNKNOWN_EXECUTION_ENVIRONMENT = 21
    STATUS_DISABLED_EXECUTION_ENVIRONMENT = 22
    STATUS_EXECUTION_ENVIRONMENT_MISMATCH = 23
    STATUS_DUPLICATE_DEPLOYMENT_UNIT = 24
    STATUS_SYSTEM_RESOURCES_EXCEEDED = 25
    STATUS_UNKNOWN_DEPLOYMENT_UNIT = 26
    STATUS_INVALID_DEPLOYMENT_UNIT_STATE = 27
    STATUS_INVALID_DEPLOYMENT_UNIT_UPDATE_DOWNGRADE_DISALLOWED = 28
    STATUS_INVALID_DEPLOYMENT_UNIT_UPDATE_UPGRADE_DISALLOWED = 29
    STATUS_INVALID_DEPLOYMENT_UNIT_UPDATE_VERSION_EXISTS = 30
    STATUS_NOT_FINISHED = 31


NETWORK_ACTION = numbers_of("networkAction", range(1, 6))
WIFI_CONNECTION_STATUS = numbers_of("wifiConnectionStatus", range(7))
WIFI_ENCRYPTION_TYPE = numbers_of("wifiEncryptionType", range(1, 9))
SIM_STATUS = numbers_of("simStatus", range(2))
SIM_TYPE = numbers_of("simType", range(4))
CELLULAR_NETWORK_BEARER = numbers_of("cellularNetworkBearer", range(8))
COVERAGE_ENHANCEMENT_LEVEL = numbers_of("coverageEnhancementLevel", range(5))


def _up_to(kind: DataType, least: int, most: int) -> DataType:
    """Give a type of whole numbers with narrower limits than its name says."""

    def check(value: object) -> None:
        kind.check(value)
        if not (isinstance(value, int) and least <= value <= most):
            raise ValueError(f"must be a whole number from {least} to {most}, not {value}")

    return DataType(kind.name, check, {"type": "integer", "minimum": least, "maximum": most})


PERCENT = _up_to(UNSIGNED_INT, 0, 100)
STORAGE_PRIORITY = _up_to(POSITIVE_INT, 1, 10)

# Management objects

ACTION_STATUS = structure("actionStatus", (Member("acn", "action", ANY_URI), Member("sus", "status", enum_of(Status))))

MGMT_LINK_REF = structure(
    "mgmtLinkRef",
    (Member("val", "value", ANY_URI, "1"), Member("nm", "name", RESOURCE_NAME, "1"), Member("typ", "type", MGMT_DEFINITION, "1")),
)

BACK_OFF_PARAMETERS_SET = structure(
    "backOffParametersSet",
    (
        Member("nwa", "networkAction", NETWORK_ACTION),
        Member("ibt", "initialBackoffTime", NON_NEG_INT, "1"),
        Member("abt", "additionalBackoffTime", NON_NEG_INT, "1"),
        Member("mbt", "maximumBackoffTime", NON_NEG_INT, "1"),
        Member("rbt", "optionalRandomBackoffTime", NON_NEG_INT),
    ),
)

BACK_OFF_PARAMETERS = structure("backOffParameters", (Member("bops", "backOffParametersSet", list_of(BACK_OFF_PARAMETERS_SET), "1"),))

WIFI_CREDENTIALS = structure(
    "wifiCredentials",
    (
        Member("enct", "encryptionType", WIFI_ENCRYPTION_TYPE, "1"),
        Member("unm", "username", STRING),
        Member("pwd", "password", STRING),
        Member("wepk", "wepKey", STRING),
        Member("wpap", "wpaPsk", STRING),
    ),
)

IP_ADDRESS = structure("ipAddress", (Member("ip4", "ipv4Address", IPV4), Member("ip6", "ipv6Address", IPV6)))

# Arguments of management commands

ANY_ARG = structure("anyArgType", (Member("nm", "name", NC_NAME, "1"), Member("val", "value", ANY, "1")))

_URL = Member("url", "URL", ANY_URI, "1")
_UUID = Member("uuid", "UUID", STRING, "1")
_VERSION = Member("vr", "version", STRING, "1")
_ACCOUNT = (Member("unm", "username", STRING, "1"), Member("pwd", "password", STRING, "1"))
_PLACE = Member("eer", "executionEnvRef", STRING, "1")
_MORE = Member("any", "anyArg", list_of(ANY_ARG))

RESET_ARGS = structure("resetArgsType", (_MORE,))
REBOOT_ARGS = structure("rebootArgsType", (_MORE,))
UPLOAD_ARGS = structure("uploadArgsType", (Member("ftyp", "fileType", STRING, "1"), _URL, *_ACCOUNT, _MORE))
DOWNLOAD_ARGS = structure(
    "downloadArgsType",
    (
        Member("ftyp", "fileType", STRING, "1"),
        _URL,
        *_ACCOUNT,
        Member("fsi", "filesize", POSITIVE_INT, "1"),
        Member("tgf", "targetFile", STRING, "1"),
        Member("dss", "delaySeconds", POSITIVE_INT, "1"),
        Member("surl", "successURL", ANY_URI, "1"),
        Member("stt", "startTime", TIMESTAMP, "1"),
        Member("cpt", "completeTime", TIMESTAMP, "1"),
        _MORE,
    ),
)
SOFTWARE_INSTALL_ARGS = structure("softwareInstallArgsType", (_URL, _UUID, *_ACCOUNT, _PLACE, _MORE))
SOFTWARE_UPDATE_ARGS = structure("softwareUpdateArgsType", (_UUID, _VERSION, _URL, *_ACCOUNT, _PLACE, _MORE))
SOFTWARE_UNINSTALL_ARGS = structure("softwareUninstallArgsType", (_UUID, _VERSION, _PLACE, _MORE))

ARGUMENTS: Mapping[CmdType, tuple[str, DataType]] = {
    CmdType.RESET: ("rst", RESET_ARGS),
    CmdType.REBOOT: ("rbo", REBOOT_ARGS),
    CmdType.UPLOAD: ("uld", UPLOAD_ARGS),
    CmdType.DOWNLOAD: ("dld", DOWNLOAD_ARGS),
    CmdType.SOFTWAREINSTALL: ("swin", SOFTWARE_INSTALL_ARGS),
    CmdType.SOFTWAREUPDATE: ("swup", SOFTWARE_UPDATE_ARGS),
    CmdType.SOFTWAREUNINSTALL: ("swun", SOFTWARE_UNINSTALL_ARGS),
}
"""Which member of execReqArgs each command has, and what its element is."""

_EXEC_REQ_ARGS = structure(
    "execReqArgsListType",
    tuple(
        Member(ARGUMENTS[command][0], name, list_of(ARGUMENTS[command][1]))
        for command, name in (
            (CmdType.RESET, "reset"),
            (CmdType.REBOOT, "reboot"),
            (CmdType.UPLOAD, "upload"),
            (CmdType.DOWNLOAD, "download"),
            (CmdType.SOFTWAREINSTALL, "softwareInstall"),
            (CmdType.SOFTWAREUPDATE, "softwareUpdate"),
            (CmdType.SOFTWAREUNINSTALL, "softwareUninstall"),
        )
    ),
)
EXEC_REQ_ARGS = DataType(_EXEC_REQ_ARGS.name, DICT.check, DICT.schema, _EXEC_REQ_ARGS.members)
"""Any object: arguments that are wrong or missing have response status codes of their own (6023, 6024)."""

STRUCTURES: tuple[DataType, ...] = (
    ACTION_STATUS,
    ANY_ARG,
    BACK_OFF_PARAMETERS,
    BACK_OFF_PARAMETERS_SET,
    DOWNLOAD_ARGS,
    _EXEC_REQ_ARGS,
    IP_ADDRESS,
    MGMT_LINK_REF,
    REBOOT_ARGS,
    RESET_ARGS,
    SOFTWARE_INSTALL_ARGS,
    SOFTWARE_UNINSTALL_ARGS,
    SOFTWARE_UPDATE_ARGS,
    UPLOAD_ARGS,
    WIFI_CREDENTIALS,
)
"""Every complex type of this module, for the reference and the law tests."""
