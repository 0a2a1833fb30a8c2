"""Filed facts of what was done, planned and used, in the shape of their FHIR R4 resources."""

from dataclasses import dataclass

from domain.kernel.values import Concept, Moment, Period, Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """Something done to or for the patient (FHIR Procedure); `performers` are names as given."""

    concept: Concept
    status: str
    performed: Period | None = None
    categories: tuple[Concept, ...] = ()
    reasons: tuple[Concept, ...] = ()
    body_sites: tuple[Concept, ...] = ()
    outcome: Concept | None = None
    performers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Content of a document: its bytes are in the object store under `object`.

    `size` counts bytes, `digest` is their SHA-256 in hexadecimal; `url` is where they lie when the
    source sent only an address.
    """

    media_type: str | None = None
    title: str | None = None
    size: int | None = None
    digest: str | None = None
    object: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document or picture (FHIR DocumentReference, Composition, Media); authors by name."""

    concept: Concept
    status: str
    document_status: str | None = None
    categories: tuple[Concept, ...] = ()
    date: Moment | None = None
    title: str | None = None
    authors: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A step of a care plan."""

    concept: Concept
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlan:
    """What is planned for the patient (FHIR CarePlan)."""

    status: str
    intent: str | None = None
    title: str | None = None
    categories: tuple[Concept, ...] = ()
    period: Period | None = None
    addresses: tuple[Concept, ...] = ()
    activities: tuple[Activity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a goal is measured by; `detail` is the wanted value in words."""

    measure: Concept | None = None
    detail: str | None = None
    due: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What patient and team want to reach (FHIR Goal)."""

    concept: Concept
    status: str
    achievement: str | None = None
    start: Moment | None = None
    categories: tuple[Concept, ...] = ()
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of or in the patient, or a supply (FHIR Device, DeviceUseStatement, SupplyDelivery).

    `use` is `device`, `use-statement` or `supply`.
    """

    concept: Concept
    status: str
    use: str = "device"
    maker: str | None = None
    model: str | None = None
    lot: str | None = None
    serial: str | None = None
    identifier: str | None = None
    expires: Moment | None = None
    period: Period | None = None
    quantity: Quantity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who took part in making a fact: their name, and in which role."""

    name: str
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Who made facts and how (FHIR Provenance).

    `targets` are `Type/id` at the source, at most 100 of the `count` that it is about.
    """

    recorded: Moment | None = None
    activity: Concept | None = None
    agents: tuple[Agent, ...] = ()
    reasons: tuple[Concept, ...] = ()
    targets: tuple[str, ...] = ()
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Images of one kind of one part of the body."""

    modality: str | None = None
    body_site: str | None = None
    images: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagingStudy:
    """A set of images (FHIR ImagingStudy); the images stay where they are."""

    status: str
    started: Moment | None = None
    procedures: tuple[Concept, ...] = ()
    description: str | None = None
    series: tuple[Series, ...] = ()
    images: int | None = None
