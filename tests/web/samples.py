"""Every page with believable, invented content, in French and English: for the tests and for looking at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from typing import Final

from markupsafe import Markup

from medfed.kernel.clock import DAY, HOUR, MINUTE, Millis
from medfed.web import views as v

NOW: Final[Millis] = 1_795_642_440_000  # 25 November 2026, 22:34 in Lyon
LYON: Final = timezone(timedelta(hours=1))
ECG: Final = "/static/sample-ecg.svg"
SKIN: Final = "/static/sample-skin.svg"

HOUSE: Final = v.InstanceView(
    name="CHU de Lyon",
    domain="chu-lyon.example",
    letters="CL",
    motto="",
    description="",
    operator="Hospices de Lyon",
    contact="medfed@chu-lyon.example",
    rules=("Aucun nom, aucune date, aucun lieu de patient.", "On cite ses sources quand on corrige."),
    members=1_312,
    peers=23,
    source_href="https://code.example/medfed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A template with a frame and the views it takes."""

    template: str
    frame: v.Frame
    views: Mapping[str, object]


def stamp(state: str = "trusted", **more: object) -> v.StampView:
    """A stamp; a trusted cardiologist unless told otherwise."""
    facts: dict[str, object] = {
        "state": state,
        "profession": "physician",
        "specialty": "cardiology",
        "issuer": "Société francophone de cardiologie",
        "href": "/credentials/7f3a",
        **more,
    }
    return v.StampView(**facts)  # type: ignore[arg-type]  # a builder of tests


HELENE: Final = v.PersonView(
    name="Hélène Marchetti",
    handle="@helene",
    href="/@helene",
    yours=True,
    stamps=(stamp(), stamp(title="Praticienne hospitalière", specialty=None, issuer="CHU de Lyon")),
)
YANIS: Final = v.PersonView(
    name="Yanis Belkacem ✅",
    handle="@yanis",
    href="/@yanis",
    stamps=(stamp(specialty="emergency-medicine", issuer="CHU de Lyon"),),
)
CLAIRE: Final = v.PersonView(
    name="Claire Vasseur-Le Goff",
    handle="@claire@ch-valserine.example",
    href="/@claire@ch-valserine.example",
    stamps=(stamp(profession="nurse", specialty=None, issuer="CH de la Valserine"),),
)
THOMAS: Final = v.PersonView(
    name="Thomas Rouvière",
    handle="@thomas@ch-vernay.example",
    href="/@thomas@ch-vernay.example",
    stamps=(stamp(specialty="emergency-medicine", issuer="CH de Vernay"),),
)
NADIA: Final = v.PersonView(
    name="Nadia Bensaïd",
    handle="@nadia@ch-vernay.example",
    href="/@nadia@ch-vernay.example",
    stamps=(stamp("revoked", ended_at=NOW - 13 * DAY),),
)
PAUL: Final = v.PersonView(
    name="Dr Paul Renard",
    handle="@paul@social.exemple.example",
    href="/@paul@social.exemple.example",
    stamps=(stamp("untrusted", issuer="Cercle Cœur et Sport"),),
)
MESANGE: Final = v.PersonView(
    name="Mésange 47",
    handle="@mesange47",
    href="/@mesange47",
    kind="pseudonym",
    stamps=(stamp("pseudonymous", specialty=None, issuer=""),),
)
JAMES: Final = v.PersonView(
    name="James Whitcombe",
    handle="@james@st-aldhelm.example",
    href="/@james@st-aldhelm.example",
    stamps=(stamp(specialty="dermatology", issuer="St Aldhelm’s Hospital"),),
)
SOCIETY: Final = v.PersonView(
    name="Société francophone de cardiologie",
    handle="@sfc@sfc.example",
    href="/@sfc@sfc.example",
    kind="institution",
)

VERIFIED: Final = v.AudienceView(code="verified", instances=6)
PUBLIC: Final = v.AudienceView(code="public")
AS_CASE: Final = v.AudienceView(code="case")

TRACE: Final = v.AttachmentView(
    id="m1",
    src=ECG,
    preview=ECG,
    alt="ECG enregistré sans douleur, V1 à V4 : onde T positive puis négative en V2 et V3, pas d’onde Q.",
    width=960,
    height=540,
    caption="ECG sans douleur, V1–V4",
)
LESION: Final = v.AttachmentView(
    id="m2",
    src=SKIN,
    preview=SKIN,
    alt="Plaque érythémateuse infiltrée de 7 cm, face externe de la cuisse.",
    width=960,
    height=640,
    curtain="Lésion cutanée",
)

WELLENS: Final = v.CaseCardView(
    id="41",
    post_id="410",
    href="/cases/41",
    title="Douleur thoracique résolutive, onde T biphasique en V2–V3",
    stage="urgent",
    specialties=("cardiology", "emergency-medicine"),
    patient=v.PatientView(age_band="50-54", sex="female"),
    excerpt="Douleur rétrosternale de vingt minutes au repos, disparue à l’arrivée. Deux épisodes semblables dans "
    "la semaine. Troponines à 9 puis 11 ng/L.",
    question="Coronarographie cette nuit ou demain matin ? Éviteriez-vous l’épreuve d’effort ?",
    author=YANIS,
    at=NOW - 2 * HOUR,
    audience=VERIFIED,
    language="fr",
    images=(TRACE,),
    image_count=2,
    deadline=NOW + HOUR,
    replies=8,
    useful=17,
    can_act=True,
)
PLAQUE: Final = v.CaseCardView(
    id="42",
    post_id="420",
    href="/cases/42",
    title="Plaque infiltrée de la cuisse, trois mois, résistante aux dermocorticoïdes",
    stage="help_wanted",
    specialties=("dermatology",),
    patient=v.PatientView(age_band="65-69", sex="male"),
    excerpt="Plaque de 7 cm, non prurigineuse, extension lente depuis l’été. Jardinier retraité, pas de voyage.",
    question="Biopsie d’emblée, ou traitement d’épreuve ?",
    author=MESANGE,
    at=NOW - DAY,
    audience=v.AudienceView(code="verified", instances=11, requirement="Médecins attestés, France"),
    language="fr",
    images=(LESION,),
    image_count=1,
    replies=14,
    useful=23,
    did_keep=True,
    can_act=True,
)
SOLVED: Final = v.CaseCardView(
    id="43",
    post_id="430",
    href="/cases/43",
    title="Annular plaques after a hiking holiday, no scale",
    stage="solved",
    specialties=("dermatology", "infectious-diseases"),
    patient=v.PatientView(age_band="5-9", sex="female"),
    excerpt="Two enlarging rings on the trunk, ten days after a weekend in the woods. Well, no fever.",
    question="Erythema migrans, or granuloma annulare?",
    author=JAMES,
    at=NOW - 12 * DAY,
    audience=PUBLIC,
    language="en",
    outcome="Erythema migrans. Amoxicillin for fourteen days; rings gone at three weeks.",
    replies=6,
    useful=31,
    can_act=True,
)


def post(**more: object) -> v.PostView:
    """A public post by Claire unless told otherwise."""
    facts: dict[str, object] = {
        "id": "501",
        "href": "/@claire@ch-valserine.example/501",
        "author": CLAIRE,
        "at": NOW - 3 * HOUR,
        "content_html": Markup(
            "<p>Retour sur la formation d’hier : les trois quarts des alarmes de notre service la nuit venaient "
            "de seuils jamais réglés à l’admission. On a ajouté la ligne « seuils adaptés au patient » à la "
            "feuille d’entrée. Deux semaines plus tard : 41 % d’alarmes en moins, aucun événement manqué.</p>"
            "<p>Je partage la feuille si elle vous sert.</p>"
        ),
        "audience": PUBLIC,
        "language": "fr",
        "replies": 9,
        "relays": 12,
        "useful": 64,
        "can_act": True,
        "can_relay": True,
        "did_find_useful": True,
        **more,
    }
    return v.PostView(**facts)  # type: ignore[arg-type]  # a builder of tests


POLL: Final = v.PollView(
    id="p1",
    action="/polls/p1",
    options=(
        v.PollOptionView(index=0, text="Épreuve d’effort", votes=4, share=0.09),
        v.PollOptionView(index=1, text="Coroscanner", votes=28, share=0.62, mine=True),
        v.PollOptionView(index=2, text="Scintigraphie", votes=13, share=0.29),
    ),
    voters=45,
    ends_at=NOW + 9 * HOUR,
)
WATCHES: Final = post(
    id="502",
    author=PAUL,
    at=NOW - 5 * HOUR,
    href="/@paul@social.exemple.example/502",
    content_html=Markup("<p>Montres connectées pour dépister la FA chez les plus de 75 ans : qui en reçoit ?</p>"),
    did_find_useful=False,
    relayed_by=HELENE,
    poll=replace(POLL, can_vote=True, multiple=True),
)
WARNED: Final = post(
    id="503",
    author=JAMES,
    at=NOW - 2 * DAY,
    href="/@james@st-aldhelm.example/503",
    language="en",
    summary="Surgical image",
    content_html=Markup("<p>What we found under the dressing on day 3.</p>"),
    attachments=(LESION,),
    poll=POLL,
    can_delete=True,
    edited_at=NOW - DAY,
    answers_to="@helene",
)

ANSWER: Final = post(
    id="601",
    href="/@helene/601",
    author=HELENE,
    at=NOW - 100 * MINUTE,
    audience=AS_CASE,
    can_relay=False,
    can_delete=True,
    accepted=True,
    replies=2,
    useful=12,
    content_html=Markup(
        "<p>Aspect de Wellens, type A : sténose serrée de l’IVA proximale jusqu’à preuve du contraire, même avec "
        "ces troponines. Pas d’épreuve d’effort.</p><p>Indolore et stable : coro demain matin en première "
        "position, aspirine, anticoagulation, scope. Si la douleur revient ou si le ST bouge, cette nuit.</p>"
    ),
)
THANKS: Final = post(
    id="602",
    href="/@yanis/602",
    author=YANIS,
    at=NOW - 90 * MINUTE,
    audience=AS_CASE,
    can_relay=False,
    replies=0,
    useful=0,
    did_find_useful=False,
    content_html=Markup("<p>Merci à tous. Salle prévenue, coro à 7 h 30. J’ajoute l’issue demain.</p>"),
)
EVIDENCE: Final = post(
    id="603",
    href="/@thomas@ch-vernay.example/603",
    author=THOMAS,
    at=NOW - 95 * MINUTE,
    kind="evidence",
    audience=AS_CASE,
    can_relay=False,
    can_accept=True,
    replies=1,
    useful=7,
    did_find_useful=False,
    content_html=Markup(
        "<p>La série d’origine : sans revascularisation, trois quarts des patients font un infarctus antérieur "
        "en quelques semaines.</p>"
    ),
    answers=(THANKS,),
)
DOUBT: Final = post(
    id="604",
    href="/@nadia@ch-vernay.example/604",
    author=NADIA,
    at=NOW - 80 * MINUTE,
    audience=AS_CASE,
    can_relay=False,
    replies=3,
    useful=2,
    did_find_useful=False,
    more_answers=3,
    content_html=Markup("<p>Attention au piège du tako-tsubo chez une femme de cet âge. Une écho avant la salle ?</p>"),
)

CASE: Final = v.CaseView(
    card=WELLENS,
    sections=(
        v.SectionView(
            key="presentation",
            content_html=Markup(
                "<p>Douleur rétrosternale constrictive de vingt minutes au repos, disparue à l’arrivée. Deux épisodes "
                "semblables dans la semaine, jamais à l’effort.</p>"
            ),
        ),
        v.SectionView(
            key="history",
            content_html=Markup(
                "<p>Hypertension traitée, tabac 25 paquets-années, père coronarien à 54 ans. Amlodipine 5 mg.</p>"
            ),
        ),
        v.SectionView(
            key="examination",
            content_html=Markup(
                "<p>PA 138/82, FC 74/min, SpO₂ 98 % en air. Auscultation normale, pas de signe d’insuffisance "
                "cardiaque.</p>"
            ),
        ),
        v.SectionView(
            key="investigations",
            content_html=Markup("<p>Troponine hypersensible 9 puis 11 ng/L à trois heures.</p>"),
        ),
    ),
    question_html=Markup("<p>Coronarographie cette nuit ou demain matin ? Éviteriez-vous l’épreuve d’effort ?</p>"),
    images=(TRACE,),
    consent="patient_written",
    image_note="Métadonnées retirées, étiquette masquée par l’auteur.",
    accepted=ANSWER,
    accepted_at=NOW - 70 * MINUTE,
    answers=(ANSWER, EVIDENCE, DOUBT),
    answer_count=8,
    edited_at=NOW - HOUR,
    stages=("urgent", "follow_up", "solved", "archived"),
    can_edit=True,
    can_answer=True,
)


def credential(state: str = "trusted", **more: object) -> v.CredentialView:
    """An explained attestation of Hélène's."""
    facts: dict[str, object] = {
        "id": f"7f3a-{state}",
        "stamp": stamp(state, ended_at=NOW - 22 * DAY if state == "revoked" else None),
        "holder": HELENE,
        "issuer": "Société francophone de cardiologie",
        "issuer_href": "/@sfc@sfc.example",
        "types": ("SpecialtyCredential",),
        "specialties": ("cardiology",),
        "country": "FR",
        "assurance": "substantial",
        "method": "national-idp",
        "verified_at": NOW - 5 * DAY,
        "valid_until": NOW + 363 * DAY,
        "checked_at": NOW - 12 * MINUTE,
        **more,
    }
    return v.CredentialView(**facts)  # type: ignore[arg-type]  # a builder of tests


PATH: Final = (
    v.PathStepView(name="CHU de Lyon", role="yours"),
    v.PathStepView(name="Fédération des sociétés savantes", role="list", since=NOW - 3 * DAY),
    v.PathStepView(name="Société francophone de cardiologie", role="issuer"),
)
CREDENTIALS: Final = (
    credential(path=PATH, document_href="/credentials/7f3a.json"),
    credential("stale", checked_at=NOW - 6 * DAY),
    credential("untrusted", issuer="Cercle Cœur et Sport", issuer_href=None),
    credential("revoked", note="Motif publié : fin de mandat."),
    credential("pseudonymous"),
    credential("invalid", method=None, assurance=None, valid_until=None, checked_at=None, types=()),
)
PAGING: Final = v.PagingView(newer="/?newer=1", older="/?older=1")
LAST: Final = v.PagingView()

SPECIALTIES: Final = tuple(
    v.ChoiceView(value=code, word=word)
    for code, word in (("cardiology", "Cardiologie"), ("dermatology", "Dermatologie"), ("radiology", "Radiologie"))
)
AUDIENCES: Final = (
    v.AudienceChoiceView(code="verified", readers=38, instances=6, missing=3, checked=True),
    v.AudienceChoiceView(code="followers", readers=41, instances=9),
    v.AudienceChoiceView(code="public"),
    v.AudienceChoiceView(code="direct", disabled_because="Personne n’est mentionné."),
)
FORECAST: Final = v.ForecastView(
    readers=38,
    followers=41,
    instances=6,
    missed=(
        v.MissedView(name="@ines@social.exemple.example", reason="Son instance n’est pas reconnue par la vôtre."),
        v.MissedView(name="@marc@cabinet-tilleuls.example", reason="Aucune attestation reconnue."),
        v.MissedView(name="@lea@santelibre.example", reason="Aucune attestation reconnue."),
    ),
)
COMPOSE: Final = v.ComposeView(
    form=v.FormView(
        values={"content": "Qui utilise encore l’épreuve d’effort avant la coro ?", "poll_option_1": "Oui"},
        errors={"image_1_alt": "Décrivez l’image en une phrase."},
    ),
    audiences=AUDIENCES,
    forecast=FORECAST,
    images=(TRACE,),
)
EDITOR: Final = v.CaseFormView(
    form=v.FormView(
        action="/cases/new",
        values={
            "title": "Opacité de l’apex découverte avant une chirurgie du canal carpien",
            "stage": "help_wanted",
            "presentation": "Mme Duvernay, 62 ans, secrétaire de mairie à Sorne-le-Bas, adressée pour bilan "
            "préopératoire. Radiographie du 14/03/2026. Asymptomatique. PA 132/78, SpO₂ 97 %.",
            "question": "Scanner d’emblée ou contrôle à six semaines ?",
            "consent": "patient_written",
            "sex": "female",
        },
        chosen={"specialties": frozenset({"radiology"})},
        errors={"image_1_alt": "Décrivez l’image en une phrase : elle sert aussi à la recherche."},
    ),
    audiences=AUDIENCES,
    checks=(
        v.CheckView(word="Titre, âge, étape", done=True, anchor="title"),
        v.CheckView(word="Question posée", done=True, anchor="question"),
        v.CheckView(word="Consentement", done=True, anchor="consent"),
        v.CheckView(word="2 passages à relire", done=False, anchor="findings"),
        v.CheckView(word="Description de l’image", done=False, anchor="image_1_alt"),
    ),
    findings=(
        v.FindingView(before="« ", passage="Mme Duvernay", after=", 62 ans… »", kind="Nom", replacement="La patiente"),
        v.FindingView(
            before="« …Radiographie du ",
            passage="14/03/2026",
            after=". Asymptomatique… »",
            kind="Date exacte",
            replacement="J−12",
        ),
    ),
    images=(TRACE,),
    forecast=FORECAST,
    specialties=SPECIALTIES,
    age_bands=(v.ChoiceView(value="60-64", word="60–64 ans"), v.ChoiceView(value="90+", word="90 ans et plus")),
    saved_at=NOW - 3 * MINUTE,
)
PROFILE: Final = v.ProfileView(
    person=replace(HELENE, stamps=(*HELENE.stamps, stamp("stale", title="Échocardiographie", specialty=None))),
    bio_html=Markup("<p>Rythmologie interventionnelle, syncope du sujet jeune. Je réponds surtout le soir.</p>"),
    facts=(
        v.FactView(name="Langues", value_html=Markup("français, italien")),
        v.FactView(name="Site", value_html=Markup('<a href="https://rythmo.example">rythmo.example</a>')),
    ),
    credentials=CREDENTIALS,
    joined_at=NOW - 300 * DAY,
    relation="following",
    follows_you=True,
    action="/@helene",
    remote_href="https://chu-lyon.example/@helene",
)
NOTICES: Final = (
    v.NotificationView(
        kind="case_accepted",
        at=NOW - 70 * MINUTE,
        href="/cases/41",
        actor=YANIS,
        excerpt="Aspect de Wellens, type A : sténose serrée de l’IVA proximale…",
        unread=True,
    ),
    v.NotificationView(kind="favourite", at=NOW - 2 * HOUR, href="/@helene/601", actor=CLAIRE, others=3, unread=True),
    v.NotificationView(
        kind="follow_request", at=NOW - DAY, href="/@james", actor=JAMES, request_action="/follow-requests/3"
    ),
    v.NotificationView(
        kind="group_request",
        at=NOW - 2 * DAY,
        href="/groups/cardiologie",
        actor=PAUL,
        excerpt="Cardiologie, Lyon",
        request_action="/groups/cardiologie",
        request_by="7",
    ),
    v.NotificationView(kind="attestation_offer", at=NOW - 3 * DAY, href="/verification", actor=SOCIETY),
    v.NotificationView(kind="poll", at=NOW - 4 * DAY, href="/@paul/502", excerpt="Montres connectées…"),
)
PEERS: Final = (
    v.PeerRowView(
        name="Société francophone de cardiologie",
        domain="sfc.example",
        level="trusted",
        receives=("public", "verified", "cases", "attestations"),
        followers=1_214,
        bars=tuple(v.BarView(percent=percent) for percent in (90, 70, 100, 30, 0, 55, 62, 70, 40, 95, 10, 33, 71, 80)),
        last_seen=NOW - MINUTE,
    ),
    v.PeerRowView(
        name="Radiology Society",
        domain="radiology-society.example",
        level="federated",
        receives=("public", "cases"),
        followers=37,
        waiting=12,
        bars=(v.BarView(percent=40), v.BarView(percent=30, failed=True)),
        fault="Toutes ses clés ont changé",
    ),
    v.PeerRowView(
        name="Cabinet des Tilleuls",
        domain="tilleuls.example",
        level="limited",
        receives=("public",),
        followers=3,
        last_seen=NOW - 2 * HOUR,
    ),
    v.PeerRowView(name="social.exemple", domain="social.exemple.example", level="blocked"),
)
DIFF: Final = v.PolicyDiffView(
    lines=(
        v.DiffLineView(kind="same", text="[[rule]]"),
        v.DiffLineView(kind="same", text='id = "uk-radiology"'),
        v.DiffLineView(kind="del", text='min_assurance = "high"'),
        v.DiffLineView(kind="add", text='min_assurance = "substantial"'),
    ),
    tallies=(
        v.TallyView(change=126, words="attestations deviennent reconnues, sur 118 personnes"),
        v.TallyView(change=23, words="personnes pourront lire les cas réservés"),
        v.TallyView(change=-4, words="attestations tombent : délivrées avant 2025"),
        v.TallyView(change=0, words="abonnements touchés"),
    ),
    consequences=("37 abonnements intacts, 2 envois en attente partiraient.",),
    loosens=True,
    computed_at=NOW,
    base="sha256:7f3a",
)
ITEM: Final = v.VerificationItemView(
    id="9",
    href="/admin/verification?item=9",
    person=v.PersonView(name="Aminata Koné-Berthier", handle="@aminata", href="/@aminata"),
    profession="physician",
    specialty="cardiology",
    country="FR",
    asked_at=NOW - 22 * HOUR,
    due_at=NOW + 2 * HOUR,
    scheme="RPPS (France)",
    number="10001234567",
    also=(PAUL,),
    statement="Nom de jeune fille au registre. Le secrétariat du service peut confirmer.",
    checks=(
        v.FieldCheckView(field="Numéro", claim="8 ········ 42", register="8 ········ 42", verdict="same"),
        v.FieldCheckView(
            field="Nom", claim="Koné-Berthier", register="KONE", verdict="near", note="Nom de naissance ?"
        ),
        v.FieldCheckView(field="Exercice", claim="Hôpital, Lyon", register="Hôpital, Grenoble", verdict="differs"),
    ),
    current=True,
)
ISSUED: Final = (
    v.IssuedView(
        id="c1",
        holder=HELENE,
        stamp=stamp(),
        issued_at=NOW - 40 * DAY,
        valid_until=NOW + 300 * DAY,
        state="accepted",
    ),
    v.IssuedView(
        id="c2",
        holder=NADIA,
        stamp=stamp("revoked"),
        issued_at=NOW - 90 * DAY,
        valid_until=NOW,
        state="revoked",
        can_revoke=False,
    ),
)
AUDIT: Final = (
    v.AuditRowView(at=NOW - MINUTE, actor="Léa Fontanel", deed="a lancé un essai de la politique", digest="7f3a…c1"),
    v.AuditRowView(at=NOW - DAY, actor="medfed", deed="a noté que toutes les clés ont changé", digest="b02e…94"),
)
SESSIONS: Final = (
    v.SessionView(id="s1", name="Firefox, Linux", last_seen=NOW, current=True),
    v.SessionView(id="s2", name="Phanpy", last_seen=NOW - 4 * DAY, scopes=("read", "write")),
)


def frame(language: str, **more: object) -> v.Frame:
    """Hélène's evening at the hospital of Lyon."""
    facts: dict[str, object] = {
        "language": language,
        "instance": HOUSE,
        "now": NOW,
        "zone": LYON,
        "csrf": "token-of-the-form",
        "path": "/here",
        "viewer": HELENE,
        "nav": v.main_nav("home", notices=3, messages=1, administrator=True),
        **more,
    }
    return v.Frame(**facts)  # type: ignore[arg-type]  # a builder of tests


def samples(language: str) -> dict[str, Sample]:
    """Every template at least once, by the name of the sample."""
    made: dict[str, Sample] = {}

    def add(name: str, template: str, around: v.Frame, **views: object) -> None:
        made[name] = Sample(template=template, frame=around, views=views)

    def member(current: str, **more: object) -> v.Frame:
        return frame(language, nav=v.main_nav(current, notices=3, messages=1, administrator=True), **more)

    def admin(current: str) -> v.Frame:
        return frame(language, nav=v.admin_nav(current, verifications=4, reports=2))

    stranger = frame(language, viewer=None, nav=None)
    _add_reading(add, member, stranger)
    _add_people(add, member, stranger)
    _add_groups(add, member)
    _add_administration(add, admin)
    return made


def _add_groups(add: Callable[..., None], member: Callable[..., v.Frame]) -> None:
    form = v.EMPTY_FORM
    group = v.GroupView(person=replace(SOCIETY, name="Cardiologie, Lyon", handle="@cardiologie"), about="ECG et plus",
                        members=1_204, moderated=True, joined=True, href="/groups/cardiologie")  # fmt: skip
    add("groups", "groups", member("groups"), groups=(group, replace(group, joined=False)), may_make=True, form=form)
    add("groups-empty", "groups", member("groups"), groups=(), may_make=False, form=form)
    line = v.GroupPostView(id="9", by=CLAIRE, excerpt="Bloc de branche", href="/@claire/9")
    crew = {"group": group, "moderators": (("1", HELENE),), "members": (("2", CLAIRE), ("1", HELENE)), "form": form}
    add("group", "group", member("groups"), asking=(("3", YANIS),), recent=(line,), moderates=True, admin=True, **crew)
    add("group-member", "group", member("groups"), asking=(), recent=(), moderates=False, admin=False, **crew)


def _add_reading(add: Callable[..., None], member: Callable[..., v.Frame], stranger: v.Frame) -> None:
    form = v.EMPTY_FORM
    tabs = (
        v.TabView(word="Mes abonnements", href="/", current=True),
        v.TabView(word="Cas ouverts", href="/?tab=cases"),
        v.TabView(word="Mon instance", href="/?tab=local"),
    )
    items = (WELLENS, post(), PLAQUE, WATCHES, WARNED, SOLVED)
    add("front", "front", stranger, items=(post(can_act=False, can_relay=False), SOLVED), paging=PAGING)
    add("front-empty", "front", stranger, items=(), paging=LAST)
    add("sign-in", "sign_in", stranger, form=form, next="/", sign_up="approval")
    refused = v.FormView(values={"username": "helene"}, errors={"form": "Nom ou mot de passe inconnus."})
    add("sign-in-refused", "sign_in", stranger, form=refused, next="/", sign_up="")
    app = v.ApplicationView(
        name="Phanpy", website="https://phanpy.social", host="phanpy.social", scopes=("read", "write", "push")
    )
    add(
        "authorize",
        "authorize",
        member(""),
        app=app,
        request={"client_id": "c", "state": "s"},
        other_account="/sign-in?another=1",
    )
    add("authorized", "authorized", member(""), code="q7T1-9fd2")
    flash = v.FlashView(text="Publié. 38 personnes le recevront.", undo="/posts/501/undo")
    add("home", "home", member("home", flash=flash), tabs=tabs, items=items, paging=PAGING, awaiting=(PLAQUE, SOLVED))
    add("home-empty", "home", member("home"), tabs=tabs, items=(), paging=LAST, awaiting=())
    add("compose", "compose", member("write"), compose=COMPOSE)
    plain = replace(COMPOSE, form=form, forecast=None, images=(), answering=WATCHES)
    add("compose-answer", "compose", member("write"), compose=plain)
    add("case-new", "case_edit", member("write"), editor=EDITOR)
    bare = replace(EDITOR, form=v.FormView(action="/cases/41/edit"), checks=(), findings=(), images=(), editing=True)
    add("case-edit", "case_edit", member("cases"), editor=replace(bare, forecast=None, saved_at=None))
    filtered = v.FormView(values={"specialty": "cardiology", "stage": "urgent"})
    add("cases", "cases", member("cases"), form=filtered, specialties=SPECIALTIES, items=items[:1], paging=LAST)
    add("cases-empty", "cases", stranger, form=form, specialties=SPECIALTIES, items=(), paging=LAST)
    add("case", "case", member("cases"), case=CASE, form=form)
    quiet = replace(CASE, card=SOLVED, stages=(), can_answer=False, accepted_at=None, images=(LESION,), edited_at=None)
    closed = replace(quiet, outcome_html=Markup("<p>Erythema migrans.</p>"), remote_href="https://st-aldhelm.example/1")
    add("case-remote", "case", member("cases"), case=closed, form=form)
    unanswered = replace(quiet, accepted=None, answers=(), answer_count=0, images=())
    add("case-stranger", "case", stranger, case=unanswered, form=form)
    add("post", "post", member(""), above=(WATCHES,), post=post(), answers=(WARNED,), form=form, can_answer=True)
    of_case = post(case_title="Douleur thoracique résolutive")
    add("post-stranger", "post", stranger, above=(), post=of_case, answers=(), form=form, can_answer=False)
    below_case = post(kind="evidence", answers_to="@yanis")
    add("post-in-case", "post", member(""), above=(WELLENS,), post=below_case, answers=(), form=form, can_answer=True)
    add("tag", "tag", stranger, tag="santé", items=(post(), SOLVED), paging=PAGING)
    reasons = (("identity", "Un patient est reconnaissable"), ("other", "Autre chose"))
    told = v.FormView(values={"category": "identity"})
    add("report-post", "report", member(""), person=PAUL, post=WATCHES, account_id="9", categories=reasons, form=told,
        domain="social.exemple.example")  # fmt: skip
    add("report-account", "report", member(""), person=YANIS, post=None, account_id="9", categories=reasons, form=form,
        domain="")  # fmt: skip
    for mode in ("approval", "open", "invite"):
        add(f"sign-up-{mode}", "sign_up", stranger, form=form, mode=mode)
    short = v.FormView(values={"username": "h"}, errors={"agreement": "À accepter.", "password": "8 caractères."})
    add("sign-up-refused", "sign_up", stranger, form=short, mode="approval")
    for waits in ("email", "approval", ""):
        add(f"signed-up-{waits or 'open'}", "signed_up", stranger, waits=waits)
    add("confirm", "confirm", stranger, token="7.8.9")
    add("search", "search", member("search"), query="wellens", people=(HELENE, SOCIETY), items=(WELLENS,),
        specialties=("cardiology",), note="Cette instance ne répond pas.")  # fmt: skip
    add("search-empty", "search", member("search"), query="", people=(), items=(), specialties=(), note="")


def _add_people(add: Callable[..., None], member: Callable[..., v.Frame], stranger: v.Frame) -> None:
    form = v.EMPTY_FORM
    tabs = (
        v.TabView(word="Ce qui est attesté", href="/@helene", current=True),
        v.TabView(word="Messages", href="/@helene?show=posts"),
    )
    shown = {"tabs": tabs, "show": "attested", "items": (), "paging": LAST}
    add("profile", "profile", member("directory"), profile=PROFILE, **shown)
    for relation in ("self", "stranger", "requested", "blocked"):
        add(
            f"profile-{relation}",
            "profile",
            member(""),
            profile=replace(PROFILE, relation=relation, muted=True),
            **shown,
        )
    nobody = replace(PROFILE, person=replace(PAUL, stamps=()), relation="anonymous", credentials=(), facts=())
    add("profile-anonymous", "profile", stranger, profile=nobody, **shown)
    counted = (v.ReactionView(emoji="\N{FIRE}", count=2), v.ReactionView(emoji=":blob:", count=1, src="/media/emoji/1"))
    on_top = (
        post(id="11", href="/@helene/11", reactions=counted),
        replace(WELLENS, id="42", href="/cases/42", reactions=counted),
    )
    posts = {"tabs": tabs, "show": "posts", "pinned": on_top, "items": (post(), WELLENS), "paging": PAGING}
    moved = replace(PROFILE, moved_to="@helene@nantes.example")
    add("profile-moved", "profile", member(""), profile=moved, **shown)
    add("profile-posts", "profile", member(""), profile=PROFILE, **posts)
    add("credential", "credential", stranger, credential=CREDENTIALS[0])
    add("interaction-person", "interaction", member(""), uri="acct:a@b", person=JAMES, post=None, form=form)
    add("interaction-post", "interaction", member(""), uri="https://x", person=None, post=post(), form=form)
    lost = v.FormView(values={"uri": "@rien@nulle.example"})
    add("interaction-nothing", "interaction", member(""), uri="", person=None, post=None, form=lost)
    directory = {"form": form, "specialties": SPECIALTIES, "paging": LAST}
    everybody = (HELENE, YANIS, CLAIRE, NADIA, PAUL, MESANGE, JAMES, SOCIETY)
    add("directory", "directory", member("directory"), people=everybody, **directory)
    add("directory-empty", "directory", stranger, people=(), **directory)
    quotable = v.FormView(values={"quotable_by": "ask", "answerable_by": "followers"})
    quoting = (post(id="502", lacks_quote="revoked"), WELLENS)
    of_helene = post(can_act=True, can_delete=True, held="waiting")
    add(
        "post-policy",
        "post_policy",
        member(""),
        post=of_helene,
        form=quotable,
        quotable=True,
        quoting=quoting,
        paging=LAST,
    )
    add(
        "post-policy-closed",
        "post_policy",
        member(""),
        post=of_helene,
        form=form,
        quotable=False,
        quoting=(),
        paging=LAST,
    )
    add("notifications", "notifications", member("notifications"), notices=NOTICES, paging=PAGING)
    add("notifications-empty", "notifications", member("notifications"), notices=(), paging=LAST)
    talks = (
        v.ConversationView(
            href="/@yanis/7", people=(YANIS, CLAIRE), excerpt="Salle prévenue, merci.", at=NOW - HOUR, unread=True
        ),
        v.ConversationView(href="/@helene/8", people=(), excerpt="Relire le protocole de 2016.", at=NOW - 3 * DAY),
    )
    add("messages", "messages", member("messages"), conversations=talks, paging=LAST)
    add("messages-empty", "messages", member("messages"), conversations=(), paging=LAST)
    requests = (
        v.VerificationRequestView(
            id="1",
            profession="physician",
            specialty="cardiology",
            status="refused",
            at=NOW - DAY,
            answer="Numéro inconnu.",
        ),
    )
    own = credential(action="/verification/7f3a")
    offer = credential("trusted", id="new", action="/verification/new", path=PATH)
    verification = {"specialties": SPECIALTIES, "schemes": (v.ChoiceView(value="rpps", word="RPPS (France)"),)}
    wrong = v.FormView(errors={"country": "Deux majuscules, comme FR."})
    mine = (own, replace(own, id="x", published=False))
    add("verification", "verification", member("verification"), credentials=mine,
        offers=(offer,), requests=requests, form=wrong, **verification)  # fmt: skip
    add("verification-empty", "verification", member("verification"), credentials=(), offers=(), requests=(),
        form=form, **verification)  # fmt: skip
    add("settings", "settings", member("settings"), form=v.FormView(values={"display_name": "Hélène", "locked": "1"}),
        sessions=SESSIONS[:1], applications=SESSIONS[1:], moved_to="",
        aliases=("https://nantes.example/users/h",))  # fmt: skip
    add("settings-moved", "settings", member("settings"), form=form, sessions=SESSIONS[:1], applications=(), aliases=(),
        moved_to="@helene@nantes.example")  # fmt: skip
    problems = {
        404: v.ProblemView(
            status=404,
            title="Cette page n’existe pas, ou pas pour vous",
            text="L’adresse est fausse, le message a été effacé, ou il est réservé à d’autres lecteurs.",
            todo="Si un confrère vous l’a donnée, demandez-lui à qui il l’a adressée.",
        ),
        422: v.ProblemView(
            status=422,
            title="Publication refusée : le réseau a coupé",
            text="Rien n’a été envoyé.",
            draft_kept=True,
            draft="Qui utilise encore l’épreuve d’effort ?",
            request_id="01J9-7F3A",
        ),
    }
    for status, problem in problems.items():
        add(f"problem-{status}", "problem", member("") if status == 422 else stranger, problem=problem)


def _add_administration(add: Callable[..., None], admin: Callable[..., v.Frame]) -> None:
    form = v.EMPTY_FORM
    figures = (
        v.FigureView(number=4, words="demandes d’attestation attendent", href="/admin/verification", due=True),
        v.FigureView(number=2, words="signalements", href="/admin/reports", due=True),
        v.FigureView(number=23, words="instances reliées", href="/admin/peers"),
        v.FigureView(number=1_312, words="membres", href="/directory"),
    )
    fault = "radiology-society.example a changé toutes ses clés à la fois."
    add(
        "admin",
        "admin_overview",
        admin("overview"),
        figures=figures,
        faults=(fault,),
        rows=AUDIT,
        asking=(("7", JAMES, "j@st-aldhelm.example"),),
    )
    chosen = v.FormView(values={"domain": "sfc.example", "level": "trusted"})
    add(
        "admin-peers",
        "admin_peers",
        admin("peers"),
        peers=PEERS,
        faults=(fault,),
        form=chosen,
        note="À confirmer.",
        unsettled=(("did:web:sfc.example", "sfc.example"),),
    )
    add("admin-peers-empty", "admin_peers", admin("peers"), peers=(), faults=(), form=form, note="", unsettled=())
    lanes = (
        v.LaneRowView(host="sfc.example", state="en cours", ails=False, waiting=3, attempts=0, is_due=True,
                      next_at=NOW, last_error=""),
        v.LaneRowView(host="radiology-society.example", state="ne répond pas", ails=True, waiting=1_204, attempts=9,
                      is_due=False, next_at=NOW + HOUR, last_error="Unreachable: cannot connect",
                      failing_since=NOW - 50 * HOUR, last_heard=NOW - HOUR, last_sent=NOW - 51 * HOUR, withdrawals=12,
                      withdrawn_until=NOW + 700 * HOUR),
        v.LaneRowView(host="social.exemple.example", state="refusé", ails=True, waiting=1, attempts=1,
                      is_due=False, next_at=None, last_error="RemoteRefused: answered 403"),
    )  # fmt: skip
    add("admin-queue", "admin_queue", admin("queue"), lanes=lanes)
    add("admin-queue-empty", "admin_queue", admin("queue"), lanes=())
    keys = tuple(
        v.KeyRowView(name=f"main-key-{number}", kind="RSA", state=state, ails=state == "révoquée", since=NOW - DAY,
                     until=until, ended=state == "révoquée", multikey="z4MXj1wBzi9jUstyPMS4jQqB6KdJaiatPkAtVtGc6b")
        for number, state, until in ((3, "signe", None), (2, "remplacée", NOW + DAY), (1, "révoquée", NOW - HOUR))
    )  # fmt: skip
    whose = v.FormView(values={"whose": "member", "member": "helene", "how": "compromised"})
    add("admin-keys", "admin_keys", admin("keys"), keys=keys, owner="@helene", form=whose, asked=False)
    add("admin-keys-asked", "admin_keys", admin("keys"), keys=keys, owner="@helene", form=whose, asked=True)
    planned = v.FormView(values={"whose": "all", "member": "", "how": "planned"})
    add("admin-keys-all", "admin_keys", admin("keys"), keys=keys, owner="", form=planned, asked=True)
    policy = v.FormView(values={"policy": '[[rule]]\nid = "uk-radiology"\nmin_assurance = "substantial"\n'})
    add("admin-policy", "admin_policy", admin("policy"), form=policy, diff=DIFF, version="31")
    same = replace(DIFF, lines=(), tallies=(), loosens=False)
    add("admin-policy-same", "admin_policy", admin("policy"), form=policy, diff=same, version="31")
    add("admin-policy-plain", "admin_policy", admin("policy"), form=policy, diff=None, version="31")
    others = replace(ITEM, id="10", current=False, overdue=True, specialty=None, profession="nurse", person=CLAIRE)
    methods = (v.ChoiceView(value="in-person", word="Vu en personne"),)
    lists = {"form": form, "specialties": SPECIALTIES, "methods": methods}
    add("admin-verification", "admin_verification", admin("verification"), queue=(ITEM, others), item=ITEM,
        issued=ISSUED, **lists)  # fmt: skip
    add(
        "admin-verification-empty", "admin_verification", admin("verification"), queue=(), item=None, issued=(), **lists
    )
    open_report = v.ReportView(
        id="1",
        at=NOW - HOUR,
        reporter=YANIS,
        target=PAUL,
        comment="Se dit cardiologue.",
        posts=(WATCHES,),
        category="…",
    )
    settled = replace(open_report, id="2", settled_at=NOW - MINUTE, posts=())
    add("admin-reports", "admin_reports", admin("reports"), reports=(open_report, settled), paging=LAST)
    add("admin-reports-empty", "admin_reports", admin("reports"), reports=(), paging=LAST)
    add("admin-audit", "admin_audit", admin("audit"), rows=AUDIT, paging=PAGING, unbroken_since=NOW - 300 * DAY,
        checked_at=NOW - HOUR, broken=None)  # fmt: skip
    add(
        "admin-audit-empty",
        "admin_audit",
        admin("audit"),
        rows=(),
        paging=LAST,
        unbroken_since=None,
        checked_at=None,
        broken=3,
    )
