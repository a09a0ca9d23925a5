"""One exception class for every response status code that tells a failure (TS-0004 6.6.3).

CSEError
 ├─ originator errors 4xxx
 ├─ receiver errors  5xxx
 └─ network system errors 6xxx

The class carries the code; the message is one sentence that names the offending thing. Bindings map the code to their own.
"""

from typing import ClassVar

from cse.codes import ResponseStatusCode as RSC


class CSEError(Exception):
    """A request failed in a way that the standard has a response status code for."""

    code: ClassVar[RSC] = RSC.INTERNAL_SERVER_ERROR


class OriginatorError(CSEError):
    """What the originator sent cannot be served (4xxx)."""

class BadRequest(OriginatorError):
    """Malformed primitive or representation, missing mandatory or forbidden attribute or parameter, wrong value (4000)."""
    code = RSC.BAD_REQUEST

class ReleaseVersionNotSupported(OriginatorError):
    """Rvi not supported by the Hosting CSE (4001)."""
    code = RSC.RELEASE_VERSION_NOT_SUPPORTED

class NotFound(OriginatorError):
    """Target (or matching resource) does not exist, or no route to its host (4004)."""
    code = RSC.NOT_FOUND

class OperationNotAllowed(OriginatorError):
    """Operation never allowed on this resource or resource type (for example UPDATE of an instance, CREATE of a resource that only the CSE makes) (4005)."""
    code = RSC.OPERATION_NOT_ALLOWED

class RequestTimeout(OriginatorError):
    """An expiration time passed before the work was done (4008)."""
    code = RSC.REQUEST_TIMEOUT

class UnsupportedMediaType(OriginatorError):
    """Media type of the content is not understood (4015)."""
    code = RSC.UNSUPPORTED_MEDIA_TYPE

class SubscriptionCreatorHasNoPrivilege(OriginatorError):
    """Creator of the subscription lost the right to read the subscribed-to resource (4101)."""
    code = RSC.SUBSCRIPTION_CREATOR_HAS_NO_PRIVILEGE

class ContentsUnacceptable(OriginatorError):
    """Representation not acceptable in content (4102)."""
    code = RSC.CONTENTS_UNACCEPTABLE

class OriginatorHasNoPrivilege(OriginatorError):
    """Access decision is deny (4103)."""
    code = RSC.ORIGINATOR_HAS_NO_PRIVILEGE

class GroupRequestIdentifierExists(OriginatorError):
    """Same group request already seen for this target (4104)."""
    code = RSC.GROUP_REQUEST_IDENTIFIER_EXISTS

class Conflict(OriginatorError):
    """Name already used below the parent, or the same unique value exists (4105)."""
    code = RSC.CONFLICT

class OriginatorNotAuthenticated(OriginatorError):
    """Originator unknown or could not be authenticated (older name ORIGINATOR_HAS_NOT_REGISTERED) (4106)."""
    code = RSC.ORIGINATOR_NOT_AUTHENTICATED

class SecurityAssociationRequired(OriginatorError):
    """Security association needed first (4107)."""
    code = RSC.SECURITY_ASSOCIATION_REQUIRED

class InvalidChildResourceType(OriginatorError):
    """Type may not be a child of the target (4108)."""
    code = RSC.INVALID_CHILD_RESOURCE_TYPE

class NoMembers(OriginatorError):
    """Group has no members (4109)."""
    code = RSC.NO_MEMBERS

class GroupMemberTypeInconsistent(OriginatorError):
    """Member types differ from memberType and strategy is abandon group (4110)."""
    code = RSC.GROUP_MEMBER_TYPE_INCONSISTENT

class EsprimUnsupportedOption(OriginatorError):
    """ESPrim option not supported (4111)."""
    code = RSC.ESPRIM_UNSUPPORTED_OPTION

class EsprimUnknownKeyId(OriginatorError):
    """ESPrim key id unknown (4112)."""
    code = RSC.ESPRIM_UNKNOWN_KEY_ID

class EsprimUnknownOrigRandId(OriginatorError):
    """ESPrim originator random id unknown (4113)."""
    code = RSC.ESPRIM_UNKNOWN_ORIG_RAND_ID

class EsprimUnknownRecvRandId(OriginatorError):
    """ESPrim receiver random id unknown (4114)."""
    code = RSC.ESPRIM_UNKNOWN_RECV_RAND_ID

class EsprimBadMac(OriginatorError):
    """ESPrim integrity check failed (4115)."""
    code = RSC.ESPRIM_BAD_MAC

class EsprimImpersonationError(OriginatorError):
    """ESPrim inner originator differs from the outer one (4116)."""
    code = RSC.ESPRIM_IMPERSONATION_ERROR

class OriginatorHasAlreadyRegistered(OriginatorError):
    """AE or CSE with this identifier is already registered (4117)."""
    code = RSC.ORIGINATOR_HAS_ALREADY_REGISTERED

class OntologyNotAvailable(OriginatorError):
    """Ontology cannot be fetched (4118)."""
    code = RSC.ONTOLOGY_NOT_AVAILABLE

class LinkedSemanticsNotAvailable(OriginatorError):
    """Linked descriptor missing (4119)."""
    code = RSC.LINKED_SEMANTICS_NOT_AVAILABLE

class InvalidSemantics(OriginatorError):
    """Descriptor is not valid (4120)."""
    code = RSC.INVALID_SEMANTICS

class MashupMemberNotFound(OriginatorError):
    """Mashup input missing (4121)."""
    code = RSC.MASHUP_MEMBER_NOT_FOUND

class InvalidTriggerPurpose(OriginatorError):
    """Trigger purpose not allowed (4122)."""
    code = RSC.INVALID_TRIGGER_PURPOSE

class IllegalTransactionStateTransitionAttempted(OriginatorError):
    """Transaction step in the wrong order (4123)."""
    code = RSC.ILLEGAL_TRANSACTION_STATE_TRANSITION_ATTEMPTED

class BlockingSubscriptionAlreadyExists(OriginatorError):
    """Target already has a blocking update subscription (4124)."""
    code = RSC.BLOCKING_SUBSCRIPTION_ALREADY_EXISTS

class SpecializationSchemaNotFound(OriginatorError):
    """Definition behind cnd or mgs not known (4125)."""
    code = RSC.SPECIALIZATION_SCHEMA_NOT_FOUND

class AppRuleValidationFailed(OriginatorError):
    """Registration violates serviceSubscribedAppRule (4126)."""
    code = RSC.APP_RULE_VALIDATION_FAILED

class OperationDeniedByRemoteEntity(OriginatorError):
    """Blocking notification was refused by the target (4127)."""
    code = RSC.OPERATION_DENIED_BY_REMOTE_ENTITY

class ServiceSubscriptionNotEstablished(OriginatorError):
    """No service subscription profile for the registering node (4128)."""
    code = RSC.SERVICE_SUBSCRIPTION_NOT_ESTABLISHED

class OntologyMappingAlgorithmNotAvailable(OriginatorError):
    """Algorithm resource missing (4130)."""
    code = RSC.ONTOLOGY_MAPPING_ALGORITHM_NOT_AVAILABLE

class OntologyMappingPolicyNotMatched(OriginatorError):
    """Policy does not fit (4131)."""
    code = RSC.ONTOLOGY_MAPPING_POLICY_NOT_MATCHED

class OntologyMappingNotAvailable(OriginatorError):
    """Mapping result missing (4132)."""
    code = RSC.ONTOLOGY_MAPPING_NOT_AVAILABLE

class BadFactInputsForReasoning(OriginatorError):
    """Fact input is bad (4133)."""
    code = RSC.BAD_FACT_INPUTS_FOR_REASONING

class BadRuleInputsForReasoning(OriginatorError):
    """Rule input is bad (4134)."""
    code = RSC.BAD_RULE_INPUTS_FOR_REASONING

class DiscoveryLimitExceeded(OriginatorError):
    """Discovery would return or visit too much (4135)."""
    code = RSC.DISCOVERY_LIMIT_EXCEEDED

class PrimitiveProfileNotAccessible(OriginatorError):
    """PrimitiveProfile cannot be read (4136)."""
    code = RSC.PRIMITIVE_PROFILE_NOT_ACCESSIBLE

class PrimitiveProfileBadRequest(OriginatorError):
    """Profile content cannot be applied (4137)."""
    code = RSC.PRIMITIVE_PROFILE_BAD_REQUEST

class UnauthorizedUser(OriginatorError):
    """M2M service user is not allowed (4138)."""
    code = RSC.UNAUTHORIZED_USER

class ServiceSubscriptionNotActive(OriginatorError):
    """Subscription profile is not active (4139)."""
    code = RSC.SERVICE_SUBSCRIPTION_NOT_ACTIVE

class SoftwareCampaignConflict(OriginatorError):
    """Campaign overlaps another one (4140)."""
    code = RSC.SOFTWARE_CAMPAIGN_CONFLICT

class ServiceSubscriptionLimitsExceeded(OriginatorError):
    """Limit of the subscription profile reached (4141)."""
    code = RSC.SERVICE_SUBSCRIPTION_LIMITS_EXCEEDED

class InvalidProcessConfiguration(OriginatorError):
    """Process or its states are not set up correctly (4142)."""
    code = RSC.INVALID_PROCESS_CONFIGURATION

class InvalidSparqlQuery(OriginatorError):
    """Query syntax is wrong (4143)."""
    code = RSC.INVALID_SPARQL_QUERY


class ReceiverError(CSEError):
    """The receiver or an entity behind it failed (5xxx)."""

class InternalServerError(ReceiverError):
    """Unexpected failure in the CSE (5000)."""
    code = RSC.INTERNAL_SERVER_ERROR

class NotImplementedByCSE(ReceiverError):
    """Operation, parameter, type or attribute value not supported (5001)."""
    code = RSC.NOT_IMPLEMENTED

class TargetNotReachable(ReceiverError):
    """Target entity could not be contacted (5103)."""
    code = RSC.TARGET_NOT_REACHABLE

class ReceiverHasNoPrivilege(ReceiverError):
    """Receiver of a notification has no right (verification failed) (5105)."""
    code = RSC.RECEIVER_HAS_NO_PRIVILEGE

class AlreadyExists(ReceiverError):
    """Resource to be made already exists in the external or remote system (5106)."""
    code = RSC.ALREADY_EXISTS

class RemoteEntityNotReachable(ReceiverError):
    """Blocking notification target could not be contacted (5107)."""
    code = RSC.REMOTE_ENTITY_NOT_REACHABLE

class TargetNotSubscribable(ReceiverError):
    """Parent type has no subscription child (5203)."""
    code = RSC.TARGET_NOT_SUBSCRIBABLE

class SubscriptionVerificationInitiationFailed(ReceiverError):
    """Verification request could not be sent or was not answered with OK (5204)."""
    code = RSC.SUBSCRIPTION_VERIFICATION_INITIATION_FAILED

class SubscriptionHostHasNoPrivilege(ReceiverError):
    """Host of the subscription may not send to the target (5205)."""
    code = RSC.SUBSCRIPTION_HOST_HAS_NO_PRIVILEGE

class NonBlockingSynchRequestNotSupported(ReceiverError):
    """No request resource support (5206)."""
    code = RSC.NON_BLOCKING_SYNCH_REQUEST_NOT_SUPPORTED

class NotAcceptable(ReceiverError):
    """Asked media type, size or representation cannot be given (also instance larger than mbs, no instance for la/ol in old releases) (5207)."""
    code = RSC.NOT_ACCEPTABLE

class DiscoveryDeniedByIpe(ReceiverError):
    """IPE refused the on-demand discovery (5208)."""
    code = RSC.DISCOVERY_DENIED_BY_IPE

class GroupMembersNotResponded(ReceiverError):
    """No member answered in time (5209)."""
    code = RSC.GROUP_MEMBERS_NOT_RESPONDED

class EsprimDecryptionError(ReceiverError):
    """ESPrim decryption failed (5210)."""
    code = RSC.ESPRIM_DECRYPTION_ERROR

class EsprimEncryptionError(ReceiverError):
    """ESPrim encryption failed (5211)."""
    code = RSC.ESPRIM_ENCRYPTION_ERROR

class SparqlUpdateError(ReceiverError):
    """Update text could not be executed (5212)."""
    code = RSC.SPARQL_UPDATE_ERROR

class TargetHasNoSessionCapability(ReceiverError):
    """Session target has no matching capability (5214)."""
    code = RSC.TARGET_HAS_NO_SESSION_CAPABILITY

class SessionIsOnline(ReceiverError):
    """Session is in use (5215)."""
    code = RSC.SESSION_IS_ONLINE

class JoinMulticastGroupFailed(ReceiverError):
    """Could not join multicast group (5216)."""
    code = RSC.JOIN_MULTICAST_GROUP_FAILED

class LeaveMulticastGroupFailed(ReceiverError):
    """Could not leave multicast group (5217)."""
    code = RSC.LEAVE_MULTICAST_GROUP_FAILED

class TriggeringDisabledForRecipient(ReceiverError):
    """Recipient does not take triggers (5218)."""
    code = RSC.TRIGGERING_DISABLED_FOR_RECIPIENT

class UnableToReplaceRequest(ReceiverError):
    """Trigger replace impossible (5219)."""
    code = RSC.UNABLE_TO_REPLACE_REQUEST

class UnableToRecallRequest(ReceiverError):
    """Trigger recall impossible (5220)."""
    code = RSC.UNABLE_TO_RECALL_REQUEST

class CrossResourceOperationFailure(ReceiverError):
    """One of several needed remote operations failed (5221)."""
    code = RSC.CROSS_RESOURCE_OPERATION_FAILURE

class TransactionProcessingIsIncomplete(ReceiverError):
    """Target is locked by a transaction (5222)."""
    code = RSC.TRANSACTION_PROCESSING_IS_INCOMPLETE

class OntologyMappingAlgorithmFailed(ReceiverError):
    """Mapping run failed (5230)."""
    code = RSC.ONTOLOGY_MAPPING_ALGORITHM_FAILED

class OntologyConversionFailed(ReceiverError):
    """Ontology could not be converted (5231)."""
    code = RSC.ONTOLOGY_CONVERSION_FAILED

class ReasoningProcessingFailed(ReceiverError):
    """Reasoning run failed (5232)."""
    code = RSC.REASONING_PROCESSING_FAILED


class NetworkSystemError(CSEError):
    """A system outside oneM2M failed (6xxx)."""

class ExternalObjectNotReachable(NetworkSystemError):
    """Managed device or external system not reachable (6003)."""
    code = RSC.EXTERNAL_OBJECT_NOT_REACHABLE

class ExternalObjectNotFound(NetworkSystemError):
    """Managed object not found (6005)."""
    code = RSC.EXTERNAL_OBJECT_NOT_FOUND

class MaxNumberOfMemberExceeded(NetworkSystemError):
    """More members than mnm (6010)."""
    code = RSC.MAX_NUMBER_OF_MEMBER_EXCEEDED

class MgmtSessionCannotBeEstablished(NetworkSystemError):
    """Management session could not be opened (6020)."""
    code = RSC.MGMT_SESSION_CANNOT_BE_ESTABLISHED

class MgmtSessionEstablishmentTimeout(NetworkSystemError):
    """Management session timed out (6021)."""
    code = RSC.MGMT_SESSION_ESTABLISHMENT_TIMEOUT

class InvalidCmdtype(NetworkSystemError):
    """CmdType not supported (6022)."""
    code = RSC.INVALID_CMDTYPE

class InvalidArguments(NetworkSystemError):
    """Argument wrong (6023)."""
    code = RSC.INVALID_ARGUMENTS

class InsufficientArguments(NetworkSystemError):
    """Argument missing (6024)."""
    code = RSC.INSUFFICIENT_ARGUMENTS

class MgmtConversionError(NetworkSystemError):
    """Conversion to management protocol failed (6025)."""
    code = RSC.MGMT_CONVERSION_ERROR

class MgmtCancellationFailed(NetworkSystemError):
    """Cancel failed (6026)."""
    code = RSC.MGMT_CANCELLATION_FAILED

class AlreadyComplete(NetworkSystemError):
    """Command already ended (6028)."""
    code = RSC.ALREADY_COMPLETE

class MgmtCommandNotCancellable(NetworkSystemError):
    """Command cannot be cancelled (6029)."""
    code = RSC.MGMT_COMMAND_NOT_CANCELLABLE

class ExternalObjectNotReachableBeforeRqetTimeout(NetworkSystemError):
    """External system not reached before rqet (6030)."""
    code = RSC.EXTERNAL_OBJECT_NOT_REACHABLE_BEFORE_RQET_TIMEOUT

class ExternalObjectNotReachableBeforeOetTimeout(NetworkSystemError):
    """External system not reached before oet (6031)."""
    code = RSC.EXTERNAL_OBJECT_NOT_REACHABLE_BEFORE_OET_TIMEOUT

class NetworkQosConfigError(NetworkSystemError):
    """QoS set-up failed (6033)."""
    code = RSC.NETWORK_QOS_CONFIG_ERROR

class RequestedActivityPatternNotPermitted(NetworkSystemError):
    """Activity pattern refused by network (6034)."""
    code = RSC.REQUESTED_ACTIVITY_PATTERN_NOT_PERMITTED


BY_CODE: dict[int, type[CSEError]] = {cls.code: cls for group in (OriginatorError, ReceiverError, NetworkSystemError) for cls in group.__subclasses__()}
"""The class of each code, for answers of other CSEs that are raised again here."""
