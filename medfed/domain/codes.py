"""medfed's own codes for professions, specialties and countries, with labels and their codings on the wire.

Labels are our own words; codes of other systems are facts: ISCO-08 everywhere, French ones where the sources
give them. Licensed terminologies are not shipped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["fr", "en"]

OWN_PROFESSIONS: Final = "https://w3id.org/medfed/ns#professions"
OWN_SPECIALTIES: Final = "https://w3id.org/medfed/ns#specialties"
ISCO_08: Final = "urn:oid:2.16.840.1.113883.2.9.6.2.7"
TRE_G15: Final = "https://mos.esante.gouv.fr/NOS/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante"
TRE_R38: Final = "https://mos.esante.gouv.fr/NOS/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale"

_ISCO_TOKEN: Final = "isco-08:"  # noqa: S105
_PHYSICIANS: Final = ("2211", "2212")
"""Generalist and specialist medical practitioners: to us, one profession with different specialties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """A code of one system, as it stands in a credential."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profession:
    """A health profession. `isco` is '' where ISCO-08 has no group for it (students)."""

    code: str
    en: str
    fr: str
    isco: str
    tre_g15: str = ""

    def label(self, language: Language) -> str:
        """The name of somebody who practises it."""
        return self.fr if language == "fr" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialty:
    """A field of practice, and what is on the badge of somebody who practises it."""

    code: str
    en: str
    fr: str
    holder_en: str
    holder_fr: str
    tre_r38: str = ""

    def label(self, language: Language) -> str:
        """The name of the field."""
        return self.fr if language == "fr" else self.en

    def holder(self, language: Language) -> str:
        """The name of somebody who practises it."""
        return self.holder_fr if language == "fr" else self.holder_en


def _professions(*lines: tuple[str, str, str, str, str]) -> dict[str, Profession]:
    return {code: Profession(code=code, en=en, fr=fr, isco=isco, tre_g15=g15) for code, en, fr, isco, g15 in lines}


PROFESSIONS: Final[Mapping[str, Profession]] = _professions(
    ("physician", "Physician", "Médecin", "221", "10"),
    ("nurse", "Nurse", "Infirmier", "2221", "60"),
    ("pharmacist", "Pharmacist", "Pharmacien", "2262", "21"),
    ("midwife", "Midwife", "Sage-femme", "2222", "50"),
    ("dentist", "Dentist", "Chirurgien-dentiste", "2261", "40"),
    ("physiotherapist", "Physiotherapist", "Masseur-kinésithérapeute", "2264", "70"),
    ("podiatrist", "Podiatrist", "Pédicure-podologue", "2269", "80"),
    ("speech-therapist", "Speech therapist", "Orthophoniste", "2266", "91"),
    ("orthoptist", "Orthoptist", "Orthoptiste", "2267", "92"),
    ("psychologist", "Psychologist", "Psychologue", "2634", "93"),
    ("occupational-therapist", "Occupational therapist", "Ergothérapeute", "2269", "94"),
    ("dietitian", "Dietitian", "Diététicien", "2265", "95"),
    ("psychomotor-therapist", "Psychomotor therapist", "Psychomotricien", "2269", "96"),
    ("radiographer", "Radiographer", "Manipulateur en électroradiologie médicale", "3211", "98"),
    ("hearing-aid-dispenser", "Hearing aid dispenser", "Audioprothésiste", "3214", "26"),
    ("optician", "Dispensing optician", "Opticien-lunetier", "3254", "28"),
    ("optometrist", "Optometrist", "Optométriste", "2267", ""),
    ("audiologist", "Audiologist", "Audiologiste", "2266", ""),
    ("nursing-assistant", "Nursing assistant", "Aide-soignant", "5321", ""),
    ("paramedic", "Paramedic", "Ambulancier paramédical", "3258", ""),
    ("physician-assistant", "Physician assistant", "Assistant médical clinicien", "2240", ""),
    ("biomedical-scientist", "Biomedical scientist", "Biologiste médical non médecin", "3212", ""),
    ("medical-laboratory-technician", "Medical laboratory technician", "Technicien de laboratoire", "3212", ""),
    ("medical-physicist", "Medical physicist", "Physicien médical", "2111", ""),
    ("pharmacy-technician", "Pharmacy technician", "Préparateur en pharmacie", "3213", ""),
    ("dental-hygienist", "Dental hygienist", "Hygiéniste dentaire", "3251", ""),
    ("dental-technician", "Dental technician", "Prothésiste dentaire", "3214", ""),
    ("prosthetist-orthotist", "Prosthetist and orthotist", "Orthoprothésiste", "3214", ""),
    ("osteopath", "Osteopath", "Ostéopathe", "2269", ""),
    ("chiropractor", "Chiropractor", "Chiropracteur", "2269", ""),
    ("public-health-specialist", "Public health specialist", "Spécialiste de santé publique", "2263", ""),
    ("social-worker", "Social worker", "Assistant de service social", "2635", ""),
    ("veterinarian", "Veterinarian", "Vétérinaire", "2250", ""),
    ("health-professional", "Health professional", "Professionnel de santé", "22", ""),
    ("student", "Student", "Étudiant en santé", "", ""),
)
"""By code. ISCO-08 knows physicians as group 221; a specialty makes it 2211 or 2212."""


def _specialties(*lines: tuple[str, str, str, str, str]) -> dict[str, Specialty]:
    return {
        code: Specialty(
            code=code, en=en, fr=fr, holder_en=holder_en, holder_fr=holder_fr, tre_r38=_TRE_R38.get(code, "")
        )
        for code, en, fr, holder_en, holder_fr in lines
    }


_TRE_R38: Final[Mapping[str, str]] = {"cardiology": "SM04"}

SPECIALTIES: Final[Mapping[str, Specialty]] = _specialties(
    ("addiction-medicine", "Addiction medicine", "Addictologie", "Addiction physician", "Addictologue"),
    ("aerospace-medicine", "Aerospace medicine", "Médecine aérospatiale", "Aerospace physician", "Médecin aérospatial"),
    ("allergology", "Allergology", "Allergologie", "Allergologist", "Allergologue"),
    ("anaesthesiology", "Anaesthesiology", "Anesthésiologie", "Anaesthetist", "Anesthésiste"),
    ("andrology", "Andrology", "Andrologie", "Andrologist", "Andrologue"),
    ("audiology", "Audiology", "Audiologie", "Audiologist", "Audiologiste"),
    ("cardiac-surgery", "Cardiac surgery", "Chirurgie cardiaque", "Cardiac surgeon", "Chirurgien cardiaque"),
    ("cardiology", "Cardiology", "Cardiologie", "Cardiologist", "Cardiologue"),
    ("child-psychiatry", "Child psychiatry", "Pédopsychiatrie", "Child psychiatrist", "Pédopsychiatre"),
    ("clinical-chemistry", "Clinical chemistry", "Biochimie clinique", "Clinical chemist", "Biochimiste clinicien"),
    ("clinical-genetics", "Clinical genetics", "Génétique médicale", "Clinical geneticist", "Généticien médical"),
    ("clinical-immunology", "Clinical immunology", "Immunologie clinique", "Clinical immunologist", "Immunologue"),
    ("clinical-pharmacology", "Clinical pharmacology", "Pharmacologie clinique", "Clinical pharmacologist",
     "Pharmacologue clinicien"),
    ("clinical-psychology", "Clinical psychology", "Psychologie clinique", "Clinical psychologist",
     "Psychologue clinicien"),
    ("community-health", "Community health", "Santé communautaire", "Community health specialist",
     "Spécialiste de santé communautaire"),
    ("critical-care-nursing", "Critical care nursing", "Soins infirmiers de réanimation", "Critical care nurse",
     "Infirmier de réanimation"),
    ("dental-surgery", "Dental surgery", "Chirurgie dentaire", "Dental surgeon", "Chirurgien-dentiste"),
    ("dermatology", "Dermatology", "Dermatologie", "Dermatologist", "Dermatologue"),
    ("diabetology", "Diabetology", "Diabétologie", "Diabetologist", "Diabétologue"),
    ("digestive-surgery", "Digestive surgery", "Chirurgie viscérale et digestive", "Digestive surgeon",
     "Chirurgien digestif"),
    ("emergency-medicine", "Emergency medicine", "Médecine d’urgence", "Emergency physician", "Urgentiste"),
    ("endocrinology", "Endocrinology", "Endocrinologie", "Endocrinologist", "Endocrinologue"),
    ("endodontics", "Endodontics", "Endodontie", "Endodontist", "Endodontiste"),
    ("epidemiology", "Epidemiology", "Épidémiologie", "Epidemiologist", "Épidémiologiste"),
    ("forensic-medicine", "Forensic medicine", "Médecine légale", "Forensic physician", "Médecin légiste"),
    ("gastroenterology", "Gastroenterology", "Gastro-entérologie", "Gastroenterologist", "Gastro-entérologue"),
    ("general-practice", "General practice", "Médecine générale", "General practitioner", "Médecin généraliste"),
    ("geriatrics", "Geriatrics", "Gériatrie", "Geriatrician", "Gériatre"),
    ("gynaecology", "Gynaecology", "Gynécologie", "Gynaecologist", "Gynécologue"),
    ("haematology", "Haematology", "Hématologie", "Haematologist", "Hématologue"),
    ("hand-surgery", "Hand surgery", "Chirurgie de la main", "Hand surgeon", "Chirurgien de la main"),
    ("hepatology", "Hepatology", "Hépatologie", "Hepatologist", "Hépatologue"),
    ("hospital-pharmacy", "Hospital pharmacy", "Pharmacie hospitalière", "Hospital pharmacist",
     "Pharmacien hospitalier"),
    ("infection-control", "Infection control", "Hygiène hospitalière", "Infection control specialist",
     "Hygiéniste hospitalier"),
    ("infectious-diseases", "Infectious diseases", "Maladies infectieuses", "Infectious disease physician",
     "Infectiologue"),
    ("intensive-care", "Intensive care", "Médecine intensive et réanimation", "Intensivist", "Réanimateur"),
    ("internal-medicine", "Internal medicine", "Médecine interne", "Internist", "Interniste"),
    ("interventional-cardiology", "Interventional cardiology", "Cardiologie interventionnelle",
     "Interventional cardiologist", "Cardiologue interventionnel"),
    ("interventional-radiology", "Interventional radiology", "Radiologie interventionnelle",
     "Interventional radiologist", "Radiologue interventionnel"),
    ("laboratory-medicine", "Laboratory medicine", "Biologie médicale", "Laboratory physician", "Biologiste médical"),
    ("maxillofacial-surgery", "Maxillofacial surgery", "Chirurgie maxillo-faciale", "Maxillofacial surgeon",
     "Chirurgien maxillo-facial"),
    ("medical-informatics", "Medical informatics", "Informatique médicale", "Medical informatician",
     "Spécialiste d’information médicale"),
    ("medical-microbiology", "Medical microbiology", "Microbiologie médicale", "Medical microbiologist",
     "Microbiologiste médical"),
    ("medical-physics", "Medical physics", "Physique médicale", "Medical physicist", "Physicien médical"),
    ("mental-health-nursing", "Mental health nursing", "Soins infirmiers en psychiatrie", "Mental health nurse",
     "Infirmier en psychiatrie"),
    ("neonatology", "Neonatology", "Néonatologie", "Neonatologist", "Néonatologiste"),
    ("nephrology", "Nephrology", "Néphrologie", "Nephrologist", "Néphrologue"),
    ("neurology", "Neurology", "Neurologie", "Neurologist", "Neurologue"),
    ("neuropsychology", "Neuropsychology", "Neuropsychologie", "Neuropsychologist", "Neuropsychologue"),
    ("neuroradiology", "Neuroradiology", "Neuroradiologie", "Neuroradiologist", "Neuroradiologue"),
    ("neurosurgery", "Neurosurgery", "Neurochirurgie", "Neurosurgeon", "Neurochirurgien"),
    ("nuclear-medicine", "Nuclear medicine", "Médecine nucléaire", "Nuclear medicine physician",
     "Médecin nucléaire"),
    ("nurse-anaesthesia", "Nurse anaesthesia", "Soins infirmiers d’anesthésie", "Nurse anaesthetist",
     "Infirmier anesthésiste"),
    ("nutrition", "Clinical nutrition", "Nutrition clinique", "Clinical nutritionist", "Nutritionniste"),
    ("obstetrics", "Obstetrics", "Obstétrique", "Obstetrician", "Obstétricien"),
    ("occupational-medicine", "Occupational medicine", "Médecine du travail", "Occupational physician",
     "Médecin du travail"),
    ("oncology", "Oncology", "Oncologie", "Oncologist", "Oncologue"),
    ("operating-room-nursing", "Operating room nursing", "Soins infirmiers de bloc opératoire",
     "Operating room nurse", "Infirmier de bloc opératoire"),
    ("ophthalmology", "Ophthalmology", "Ophtalmologie", "Ophthalmologist", "Ophtalmologue"),
    ("oral-surgery", "Oral surgery", "Chirurgie orale", "Oral surgeon", "Chirurgien oral"),
    ("orthodontics", "Orthodontics", "Orthodontie", "Orthodontist", "Orthodontiste"),
    ("orthopaedics", "Orthopaedics", "Orthopédie", "Orthopaedic surgeon", "Chirurgien orthopédiste"),
    ("otorhinolaryngology", "Otorhinolaryngology", "Oto-rhino-laryngologie", "Otorhinolaryngologist",
     "Oto-rhino-laryngologiste"),
    ("paediatric-cardiology", "Paediatric cardiology", "Cardiologie pédiatrique", "Paediatric cardiologist",
     "Cardiologue pédiatrique"),
    ("paediatric-neurology", "Paediatric neurology", "Neurologie pédiatrique", "Paediatric neurologist",
     "Neuropédiatre"),
    ("paediatric-nursing", "Paediatric nursing", "Puériculture", "Paediatric nurse", "Puériculteur"),
    ("paediatric-oncology", "Paediatric oncology", "Oncologie pédiatrique", "Paediatric oncologist",
     "Oncopédiatre"),
    ("paediatric-surgery", "Paediatric surgery", "Chirurgie pédiatrique", "Paediatric surgeon",
     "Chirurgien pédiatrique"),
    ("paediatrics", "Paediatrics", "Pédiatrie", "Paediatrician", "Pédiatre"),
    ("pain-medicine", "Pain medicine", "Médecine de la douleur", "Pain physician", "Algologue"),
    ("palliative-medicine", "Palliative medicine", "Médecine palliative", "Palliative physician",
     "Médecin de soins palliatifs"),
    ("pathology", "Pathology", "Anatomie et cytologie pathologiques", "Pathologist", "Anatomopathologiste"),
    ("periodontics", "Periodontics", "Parodontologie", "Periodontist", "Parodontiste"),
    ("pharmacy", "Pharmacy", "Pharmacie", "Pharmacist", "Pharmacien"),
    ("plastic-surgery", "Plastic surgery", "Chirurgie plastique et reconstructrice", "Plastic surgeon",
     "Chirurgien plasticien"),
    ("prehospital-care", "Prehospital care", "Soins préhospitaliers", "Prehospital care specialist",
     "Spécialiste de soins préhospitaliers"),
    ("primary-care-nursing", "Primary care nursing", "Soins infirmiers de premier recours", "Primary care nurse",
     "Infirmier de premier recours"),
    ("psychiatry", "Psychiatry", "Psychiatrie", "Psychiatrist", "Psychiatre"),
    ("psychotherapy", "Psychotherapy", "Psychothérapie", "Psychotherapist", "Psychothérapeute"),
    ("public-health", "Public health", "Santé publique", "Public health physician", "Médecin de santé publique"),
    ("pulmonology", "Pulmonology", "Pneumologie", "Pulmonologist", "Pneumologue"),
    ("radiation-oncology", "Radiation oncology", "Oncologie radiothérapique", "Radiation oncologist",
     "Radiothérapeute"),
    ("radiology", "Radiology", "Radiologie", "Radiologist", "Radiologue"),
    ("rehabilitation-medicine", "Rehabilitation medicine", "Médecine physique et de réadaptation",
     "Rehabilitation physician", "Médecin rééducateur"),
    ("reproductive-medicine", "Reproductive medicine", "Médecine de la reproduction", "Fertility specialist",
     "Médecin de la reproduction"),
    ("rheumatology", "Rheumatology", "Rhumatologie", "Rheumatologist", "Rhumatologue"),
    ("sexual-health", "Sexual health", "Santé sexuelle", "Sexual health specialist", "Sexologue"),
    ("sleep-medicine", "Sleep medicine", "Médecine du sommeil", "Sleep physician", "Médecin du sommeil"),
    ("sports-medicine", "Sports medicine", "Médecine du sport", "Sports physician", "Médecin du sport"),
    ("surgery", "Surgery", "Chirurgie", "Surgeon", "Chirurgien"),
    ("thoracic-surgery", "Thoracic surgery", "Chirurgie thoracique", "Thoracic surgeon", "Chirurgien thoracique"),
    ("transfusion-medicine", "Transfusion medicine", "Médecine transfusionnelle", "Transfusion physician",
     "Médecin transfusionniste"),
    ("transplantation", "Transplantation", "Transplantation", "Transplant physician", "Médecin transplanteur"),
    ("trauma-surgery", "Trauma surgery", "Traumatologie", "Trauma surgeon", "Traumatologue"),
    ("tropical-medicine", "Tropical medicine", "Médecine tropicale", "Tropical medicine physician",
     "Médecin tropicaliste"),
    ("urology", "Urology", "Urologie", "Urologist", "Urologue"),
    ("vascular-medicine", "Vascular medicine", "Médecine vasculaire", "Vascular physician", "Angiologue"),
    ("vascular-surgery", "Vascular surgery", "Chirurgie vasculaire", "Vascular surgeon", "Chirurgien vasculaire"),
)  # fmt: skip
"""By code."""

_ISO_3166: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_ISO_3166.split())
"""ISO 3166-1 alpha-2."""

_BY_ISCO: Final[Mapping[str, tuple[str, ...]]] = {
    isco: tuple(each.code for each in PROFESSIONS.values() if each.isco == isco)
    for isco in {each.isco for each in PROFESSIONS.values()}
}
_BY_TRE_G15: Final = {each.tre_g15: each.code for each in PROFESSIONS.values() if each.tre_g15}
_BY_TRE_R38: Final = {each.tre_r38: each.code for each in SPECIALTIES.values() if each.tre_r38}


def profession_codings(code: str, specialties: Iterable[str], country: str) -> tuple[Coding, ...]:
    """A profession as credentials carry it: the national code in its country, ISCO-08, and our own."""
    known = PROFESSIONS[code]
    codings = []
    if country == "FR" and known.tre_g15:
        codings.append(Coding(system=TRE_G15, code=known.tre_g15, display=known.fr))
    isco = _isco_of(known, tuple(specialties))
    if isco:
        codings.append(Coding(system=ISCO_08, code=isco, display=f"{known.en} (ISCO-08)"))
    return (*codings, Coding(system=OWN_PROFESSIONS, code=code, display=known.en))


def _isco_of(profession: Profession, specialties: tuple[str, ...]) -> str:
    if profession.code != "physician" or not specialties:
        return profession.isco
    return "2211" if "general-practice" in specialties else "2212"


def specialty_codings(codes: Iterable[str], country: str) -> tuple[Coding, ...]:
    """Specialties as credentials carry them: the national codes in their country, and our own."""
    codings: list[Coding] = []
    for code in codes:
        known = SPECIALTIES[code]
        if country == "FR" and known.tre_r38:
            codings.append(Coding(system=TRE_R38, code=known.tre_r38, display=known.fr))
        codings.append(Coding(system=OWN_SPECIALTIES, code=code, display=known.en))
    return tuple(codings)


def profession_of(codings: Iterable[Coding]) -> str:
    """Our code for a profession on the wire; '' when none of its codings means exactly one of ours."""
    by_system = {coding.system: coding.code for coding in codings}
    own = by_system.get(OWN_PROFESSIONS, "")
    if own in PROFESSIONS:
        return own
    french = _BY_TRE_G15.get(by_system.get(TRE_G15, ""))
    return french or _only(_of_isco(by_system.get(ISCO_08, "")))


def _of_isco(isco: str) -> tuple[str, ...]:
    if isco in _PHYSICIANS:
        return ("physician",)
    return _BY_ISCO.get(isco, ()) if isco else ()


def _only(codes: tuple[str, ...]) -> str:
    return codes[0] if len(codes) == 1 else ""


def specialties_of(codings: Iterable[Coding]) -> tuple[str, ...]:
    """Our codes for specialties on the wire, in order; those we have no code for are left out."""
    found = []
    for coding in codings:
        if coding.system == OWN_SPECIALTIES and coding.code in SPECIALTIES:
            found.append(coding.code)
        elif coding.system == TRE_R38 and coding.code in _BY_TRE_R38:
            found.append(_BY_TRE_R38[coding.code])
    return tuple(dict.fromkeys(found))


def professions_named(token: str) -> frozenset[str]:
    """The professions that an audience means by `token`: one of our codes, or a group such as isco-08:221."""
    group = token.removeprefix(_ISCO_TOKEN)
    if group == token:
        return frozenset({token}) & PROFESSIONS.keys()
    if group in _PHYSICIANS:
        return frozenset({"physician"})
    return frozenset(each.code for each in PROFESSIONS.values() if group and each.isco.startswith(group))
