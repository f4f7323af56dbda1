"""Who lives in the demo and what they say. Everybody and everything here is invented."""

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Place: TypeAlias = Literal["hospital", "society", "clinic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One instance."""

    place: Place
    name: str
    languages: tuple[str, ...]
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member of one house."""

    place: Place
    username: str
    name: str
    bio: str
    role: str = "member"
    language: str = "fr"


HOUSES: Final = (
    House(place="hospital", name="CHU de Valserine", languages=("fr", "en"), contact="admin@chu-valserine.example"),
    House(
        place="society",
        name="Société alpine de cardiologie",
        languages=("fr", "en"),
        contact="bureau@cardio-alpine.example",
    ),
    House(place="clinic", name="Northbrook Clinic", languages=("en", "fr"), contact="it@northbrook.example"),
)

PEOPLE: Final = (
    Person(
        place="hospital",
        username="marchetti",
        name="Hélène Marchetti",
        bio="Cardiologue, soins intensifs. ECG, rythme, insuffisance cardiaque. Je réponds la nuit.",
    ),
    Person(
        place="hospital",
        username="belkacem",
        name="Yanis Belkacem",
        bio="Urgentiste. Douleur thoracique, échographie au lit, formation des internes.",
    ),
    Person(
        place="hospital",
        username="vasseur",
        name="Claire Vasseur",
        bio="Infirmière en réanimation. Alarmes, protocoles, compagnonnage.",
    ),
    Person(
        place="hospital",
        username="oyono",
        name="Marc Oyono",
        bio="Direction médicale. J’administre cette instance.",
        role="admin",
    ),
    Person(
        place="society",
        username="lindqvist",
        name="Anna Lindqvist",
        bio="Cardiologist, electrophysiology. Reads biphasic T waves for breakfast.",
        language="en",
    ),
    Person(
        place="society",
        username="roussel",
        name="Étienne Roussel",
        bio="Secrétaire général. Je vérifie les titres des membres de la société.",
        role="verifier",
    ),
    Person(
        place="society",
        username="bureau",
        name="Bureau de la société",
        bio="Administration de l’instance.",
        role="admin",
    ),
    Person(
        place="clinic",
        username="harper",
        name="Tom Harper",
        bio="Family doctor, dermatology clinic on Thursdays.",
        role="admin",
        language="en",
    ),
)

PASSWORD: Final = "demo-demo-2026"  # noqa: S105 — printed for whoever runs the demo; nothing listens but loopback

WELLENS: Final[dict[str, Any]] = {
    "title": "Douleur thoracique résolutive, onde T biphasique en V2–V3",
    "presentation": "Douleur rétrosternale constrictive de vingt minutes au repos, disparue à l’arrivée. Deux épisodes "
    "semblables dans la semaine, jamais à l’effort.",
    "history": "Hypertension traitée, tabac 25 paquets-années, père coronarien. Amlodipine 5 mg.",
    "examination": "PA 138/82 mmHg, FC 74/min, SpO₂ 98 % en air ambiant. Auscultation normale, pas de signe "
    "d’insuffisance cardiaque.",
    "investigations": "Troponine hypersensible 9 puis 11 ng/L à trois heures. ECG sans douleur ci-joint.",
    "question": "Coronarographie cette nuit ou demain matin ? Éviteriez-vous l’épreuve d’effort ?",
    "patient": {"age_band": "50-54", "sex": "female"},
    "specialties": ["cardiology", "emergency-medicine"],
    "stage": "urgent",
    "audience": "verified",
    "language": "fr",
    "consent": {"basis": "not_identifiable"},
}
WELLENS_ALT: Final = (
    "ECG, dérivations V1 à V4, sans douleur : onde T biphasique, positive puis négative, en V2 et V3 ; "
    "segment ST isoélectrique, pas d’onde Q."
)
WELLENS_ANSWERS: Final = (
    (
        "lindqvist",
        "Biphasic T in V2–V3, pain-free, troponin barely moved: Wellens type A until proven otherwise. "
        "No stress test. I would take her to the lab in the morning, tonight if pain comes back.",
    ),
    (
        "belkacem",
        "Merci. Elle est scopée, héparine et aspirine en cours. On répète l’ECG toutes les heures "
        "et à la moindre douleur.",
    ),
)
WELLENS_OUTCOME: Final = (
    "Coronarographie à 7 h : sténose serrée de l’IVA proximale, angioplastie et un stent actif. Sortie à J3."
)

ANNULAR: Final[dict[str, Any]] = {
    "title": "Annular plaque on the forearm, three weeks, not itching",
    "presentation": "Slowly growing ring-shaped plaque with a smooth border. No scale, no itching, no fever.",
    "history": "No known tick bite, no new medication, otherwise healthy.",
    "question": "Granuloma annulare or something I should biopsy?",
    "patient": {"age_band": "35-39", "sex": "male"},
    "specialties": ["dermatology"],
    "stage": "help_wanted",
    "audience": "public",
    "language": "en",
    "consent": {"basis": "patient_written"},
}
ANNULAR_ALT: Final = (
    "Ring-shaped pink plaque about four centimetres across on light skin; smooth raised border, paler centre."
)

ALARMS: Final = (
    "Retour sur la formation d’hier : les trois quarts des alarmes de notre service la nuit venaient de seuils jamais "
    "réglés à l’admission. On a ajouté la ligne « seuils adaptés au patient » à la feuille d’entrée. Deux semaines "
    "plus tard : 41 % d’alarmes en moins, aucun événement manqué. #réanimation #alarmes"
)
POLL: Final[dict[str, Any]] = {
    "text": "Anticoagulation after a first, provoked distal DVT: how long do you treat?",
    "options": ["6 weeks", "3 months", "6 months", "It depends, I will explain"],
    "language": "en",
}
GREETING: Final = "Good evening from Northbrook. We have just opened our instance; who else runs one in primary care?"
ANSWER_TO_GREETING: Final = "Bienvenue, et welcome. Nous sommes trois maisons à nous lire ce soir."
