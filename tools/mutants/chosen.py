"""What is mutated: modules by rule, each with the tests that watch it, and mutants that no rule makes, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from tools.mutants.rules import ROOT, Mutant, by_rule

_ADMIT: Final = "tests/spending/test_admit.py"
_PRESS: Final = "tests/spending/test_press_identity.py"
_SUBMIT: Final = "tests/pipeline/test_submit.py"
_AT_ONCE: Final = "tests/pipeline/test_at_once.py"
_DECISIONS: Final = "tests/stories/test_decisions.py"
_RULES: Final = "tests/stories/test_rules_of_money.py"  # the quickest: it comes first
_TURNS: Final = "tests/stories/test_turns.py"
_ON_WIRE: Final = "tests/pipeline/test_on_wire.py"
_CONVEYOR: Final = "tests/pipeline/test_conveyor.py"
_FOLLOW: Final = "tests/pipeline/test_follow.py"
_ACTIONS: Final = "tests/actions/test_actions.py"
_DELIVERY: Final = "tests/frontends/osc/test_delivery.py"
_PROTOCOL: Final = "tests/engine/test_protocol.py"
_WIRE: Final = "tests/engine/test_wire.py"
_TRANSITIONS: Final = "tests/journal/test_transitions.py"
_DURABILITY: Final = "tests/journal/test_durability.py"
_FIELDS: Final = (
    "tests/frontends/folders/test_folders.py::TestThePromptOfThePreset::test_is_filled_with_what_the_file_tells"
)
_MODELS: Final = "tests/spending/test_new_models.py"
_RECORD: Final = "tests/journal/test_record.py"
_RECORDED: Final = "tests/journal/test_recorded.py"
_LOST: Final = "tests/app/test_lost_journal.py"
_LIVE_ONCE: Final = "tests/live/test_placing.py::test_announced_five_times_placed_once_confirmed_five_times"
_LIVE_RELOADED: Final = "tests/live/test_placing.py::test_a_take_that_stands_in_a_reopened_set_is_only_confirmed"
_LEASES: Final = "tests/studio/test_leases.py"
_STUDIO_LATE: Final = "tests/studio/test_membership.py::test_what_took_too_long_to_be_written_is_not_sent_by_then"
_SHARED: Final = "tests/studio/test_shared_budget.py"
_STAGE: Final = "tests/frontends/midi/test_stage.py"
_ARMING: Final = "tests/frontends/midi/test_arming.py"


@dataclass(frozen=True, slots=True)
class Module:
    """A module that decides about money, the tests that watch it, and its functions that are meant (none: all)."""

    path: str
    tests: tuple[str, ...]
    only: frozenset[str] = frozenset()


MODULES: Final = (
    Module("spending/limits.py", (_ADMIT, _MODELS, _ACTIONS)),
    Module("spending/offers.py", ("tests/spending/test_replace.py", _MODELS)),
    Module("spending/press.py", (_PRESS, _ADMIT)),
    Module("spending/prices.py", ("tests/spending/test_prices.py", _MODELS, _ADMIT, _ACTIONS)),
    Module("spending/pause.py", ("tests/spending/test_pause.py", _ACTIONS, _SUBMIT, _CONVEYOR)),
    Module("spending/admit.py", (_ADMIT, _PRESS, _FIELDS, _ACTIONS), frozenset({"admit", "_accept"})),
    Module("pipeline/submit.py", (_RULES, _ACTIONS, _CONVEYOR, _SUBMIT)),
    Module("pipeline/at_once.py", (_RULES, "tests/pipeline/test_at_once.py")),
    Module("pipeline/confirm.py", (_DECISIONS, _DELIVERY)),
    Module(
        "pipeline/conveyor.py",
        (_TURNS, _DECISIONS, _CONVEYOR, _ACTIONS),
        frozenset({"_recover", "_read_submit", "_turn", "_once", "stop"}),
    ),
    Module(
        "pipeline/context.py", (_ON_WIRE, _TURNS, _CONVEYOR, _SUBMIT), frozenset({"OnWire", "until_written", "now"})
    ),
    Module(
        "engine/client.py", (_WIRE, _SUBMIT), frozenset({"outcome", "classify_error", "submit", "_mark_sent", "_read"})
    ),
    Module("engine/protocol.py", (_PROTOCOL, _SUBMIT), frozenset({"classify", "_accepted", "remote_id", "_micro"})),
    Module("journal/transaction.py", (_RECORDED, _TRANSITIONS, _ADMIT), frozenset({"move", "_update", "_record"})),
    Module(
        "journal/store.py",
        (_RECORDED, _DURABILITY, _TRANSITIONS, _LOST),
        frozenset({"_write", "write", "_note", "_compare"}),
    ),
    Module("journal/record.py", (_RECORD, _LOST), frozenset({"check", "add", "to_compare", "_parsed"})),
    Module("actions/jobs.py", (_DECISIONS, _ACTIONS)),
    Module("spending/chain.py", ("tests/spending/test_chain_steps.py",)),
    Module(
        "studio/membership.py",
        (_LEASES, _STUDIO_LATE),
        frozenset({"asked_here", "take", "holds", "late", "join", "_beat"}),
    ),
    Module("studio/leases.py", (_LEASES,)),
    Module(
        "studio/budget.py", (_SHARED,), frozenset({"seconds_until", "_ahead", "_has_share", "take_submit", "_submit"})
    ),
    Module("frontends/midi/arming.py", (_STAGE, _ARMING), frozenset({"armed", "guard", "arm"})),
)


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    path: str
    old: str  # stands in the file exactly once
    new: str
    tests: tuple[str, ...]


_PACKAGE: Final = "bridge_daemon/"
NAMED: Final = (
    _Named(
        "a bare timeout counts as never sent",
        "engine/client.py",
        "if isinstance(error, never_sent) or not sent:",
        "if isinstance(error, (*never_sent, TimeoutError)) or not sent:",
        (_WIRE,),
    ),
    _Named(
        "a redirect of the POST is followed",
        "engine/client.py",
        "headers=headers, allow_redirects=False, **through(address)) as response,",
        "headers=headers, allow_redirects=True, **through(address)) as response,",
        (_WIRE, _SUBMIT),
    ),
    _Named(
        "any 503 is a refusal",
        "engine/protocol.py",
        'if status == 503 and error_code(answer.body) == "model_unavailable":',
        "if status == 503:",
        (_PROTOCOL, _SUBMIT),
    ),
    _Named(
        "a job that was lost on the wire is sent again",
        "pipeline/conveyor.py",
        'outcome = Outcome(kind=SubmitOutcome.UNKNOWN, text="the bridge ended while the request was being sent")',
        'outcome = Outcome(kind=SubmitOutcome.NOT_SENT, text="the bridge ended while the request was being sent")',
        (_DECISIONS, _CONVEYOR),
    ),
    _Named(
        "what became of a submit is read from the answer to an earlier one",
        "pipeline/conveyor.py",
        """            if event["kind"] == str(State.SUBMITTING):
                answer = None
            elif event""",
        """            if event""",
        (_DECISIONS,),
    ),
    _Named(
        "the charge's day is that of the press",
        "pipeline/submit.py",
        "charge_day=context.times.day(),",
        "charge_day=context.times.day_of(fresh.created_at),",
        (_ADMIT,),
    ),
    _Named(
        "an age is read from the wall clock alone",
        "pipeline/submit.py",
        "check_age(fresh, context.now(fresh))",
        "check_age(fresh, now)",
        (_PRESS,),
    ),
    _Named(
        "a double press is looked for by the wall clock alone",
        "spending/press.py",
        "known = self._accepted.get(fingerprint)",
        "known = None",
        (_PRESS,),
    ),
    _Named(
        "a retry has the fingerprint of its request",
        "spending/admit.py",
        'fingerprint_of(request, wanted.body, wanted.sound) if retry is None else hash_of({"retry": retry.of})',
        "fingerprint_of(request, wanted.body, wanted.sound)",
        (_PRESS,),
    ),
    _Named(
        "the fingerprint has no sound",
        "spending/press.py",
        'hash_of(asked | {"sound": sound, "place": exact})',
        'hash_of(asked | {"place": exact})',
        (_PRESS,),
    ),
    _Named(
        "the fingerprint has no place",
        "spending/press.py",
        'hash_of(asked | {"sound": sound, "place": exact})',
        'hash_of(asked | {"sound": sound})',
        (_PRESS,),
    ),
    _Named(
        "a transaction takes its lock at its first write",
        "journal/sqlite.py",
        'return self._begun("BEGIN IMMEDIATE")',
        'return self._begun("BEGIN")',
        (_TRANSITIONS, _DURABILITY),
    ),
    _Named(
        "a commit is not flushed to the medium",
        "journal/sqlite.py",
        '"synchronous=FULL",',
        '"synchronous=NORMAL",',
        (_DURABILITY,),
    ),
    _Named(
        "an update is not guarded by the state",
        "journal/statements.py",
        'guard = and_(jobs.c.job == bindparam("its_job"), jobs.c.state == bindparam("its_state"))',
        'guard = and_(jobs.c.job == bindparam("its_job"), bindparam("its_state") == bindparam("its_state"))',
        (_TRANSITIONS,),
    ),
    _Named(
        "what may be charged goes back to where it is sent",
        "journal/transaction.py",
        'back = to in _UNSENT and changes.get("charge", job.charge) is not Charge.NONE',
        "back = False",
        (_TRANSITIONS,),
    ),
    _Named(
        "a press is sent before the disk has said that there is room",
        "pipeline/at_once.py",
        " or not self._disk.room():",
        ":",
        (_AT_ONCE,),
    ),
    _Named(
        "what a transaction adds is not reserved in the sums that it knows",
        "journal/transaction.py",
        "replace(spent, reserved=spent.reserved + more)",
        "spent",
        (_TRANSITIONS,),
    ),
    _Named(
        "an id of the service may belong to two jobs",
        "journal/statements.py",
        'jobs.c.base_url == bindparam("base_url"), jobs.c.remote_id == bindparam("remote_id")\n',
        'jobs.c.base_url == bindparam("base_url"), jobs.c.remote_id + "x" == bindparam("remote_id")\n',
        (_DECISIONS, _SUBMIT, _ACTIONS),
    ),
    _Named(
        "what is perhaps charged does not count",
        "journal/statements.py",
        "_CHARGED: Final = jobs.c.charge.in_(_texts((Charge.POSSIBLE, Charge.CONFIRMED)))",
        "_CHARGED: Final = jobs.c.charge.in_(_texts((Charge.CONFIRMED,)))",
        (_RULES, _TRANSITIONS, _ADMIT),
    ),
    _Named(
        "nothing is reserved",
        "journal/statements.py",
        '_sum(jobs.c.state.in_(_texts(RESERVED)), *whose).label("reserved")',
        '_sum(jobs.c.state.in_(_texts((State.HELD,))), *whose).label("reserved")',
        (_RULES, _TRANSITIONS, _ADMIT),
    ),
    _Named(
        "charges of later days do not count",
        "journal/statements.py",
        '_sum(_CHARGED, jobs.c.charge_day >= bindparam("today"), *whose).label("day")',
        '_sum(_CHARGED, jobs.c.charge_day == bindparam("today"), *whose).label("day")',
        (_RULES, _TRANSITIONS, _ADMIT),
    ),
    _Named(
        "an unknown may be sent again",
        "domain/job.py",
        "State.UNKNOWN: frozenset({State.GENERATING, State.DISMISSED}),",
        "State.UNKNOWN: frozenset({State.QUEUED, State.GENERATING, State.DISMISSED}),",
        (_TRANSITIONS,),
    ),
    _Named(
        "a job that generates may be cancelled",
        "domain/job.py",
        "State.GENERATING: frozenset({State.FETCHING, State.FAILED, State.DISMISSED}),",
        "State.GENERATING: frozenset({State.FETCHING, State.FAILED, State.DISMISSED, State.CANCELLED}),",
        (_TRANSITIONS,),
    ),
    _Named(
        "who is dead itself takes jobs",
        "studio/leases.py",
        """me.run = :run AND {is_alive('me')} \"
    f"AND j.job""",
        """me.run = :run \"
    f"AND j.job""",
        (_LEASES,),
    ),
    _Named(
        "an older process of a home takes jobs",
        "studio/leases.py",
        "me.id = :id AND me.run = :run AND",
        "me.id = :id AND",
        (_LEASES,),
    ),
    _Named(
        "a job of a room that is there is taken from it",
        "studio/leases.py",
        "AND j.job = :job AND (j.room = me.room OR me.kind = '{KEEPER}' OR {LEFT_ALONE}) ",
        "AND j.job = :job ",
        (_LEASES,),
    ),
    _Named(
        "a job that somebody alive has is taken from it",
        "studio/leases.py",
        "OR NOT EXISTS (SELECT 1 FROM workers w WHERE w.id = leases.worker AND w.{_ALIVE}) RETURNING",
        "OR true RETURNING",
        (_LEASES,),
    ),
    _Named(
        "an older process of a home says that it is there",
        "studio/leases.py",
        "SET seen_at = {_NOW} WHERE id = :id AND run = :run",
        "SET seen_at = {_NOW} WHERE id = :id",
        (_LEASES,),
    ),
    _Named(
        "two homes may have the name of one room",
        "studio/leases.py",
        "kind = :kind AND id <> :id AND {_ALIVE} LIMIT 1",
        "kind = :kind AND false LIMIT 1",
        (_LEASES,),
    ),
    _Named(
        "what somebody alive has is found to be free",
        "studio/leases.py",
        "WHERE w.id IS NULL AND (",
        "WHERE (",
        (_LEASES,),
    ),
    _Named(
        "jobs of rooms that are there are found to be free",
        "studio/leases.py",
        "OR (r.id IS NULL AND j.engine",
        "OR (j.engine",
        (_LEASES,),
    ),
    _Named(
        "jobs of another engine are gone on with",
        "studio/leases.py",
        "j.engine = :engine AND j.base_url = :base_url AND (",
        "j.base_url = :base_url AND (",
        (_LEASES,),
    ),
    _Named(
        "a room sends the jobs of another one",
        "studio/leases.py",
        "OR (:kind = '{KEEPER}' AND j.state IN :reserved",
        "OR (j.state IN :reserved",
        (_LEASES,),
    ),
    _Named(
        "a keeper sends what is not valid any more",
        "studio/leases.py",
        "j.state IN :reserved AND j.valid_until > {_NOW}",
        "j.state IN :reserved",
        (_LEASES,),
    ),
    _Named(
        "a keeper sends for a room that is paused",
        "studio/leases.py",
        "                AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.key = j.room || ' pause'))\n",
        "                )\n",
        (_LEASES,),
    ),
    _Named(
        "files are not flushed before they get their name",
        "util/files.py",
        "    os.fsync(file.fileno())\n",
        "",
        ("tests/util/test_files.py",),
    ),
    _Named(
        "a rename is not flushed",
        "util/files.py",
        '    failpoint(f"file.{point}.settled")\n    flush_folder(candidate.parent)\n',
        '    failpoint(f"file.{point}.settled")\n',
        ("tests/util/test_files.py",),
    ),
    _Named(
        "a file of the same name is taken for the same take",
        "util/files.py",
        "return one.lstat().st_size == other.lstat().st_size and sha256(one) == sha256(other)",
        "return one.lstat().st_size == other.lstat().st_size",
        ("tests/util/test_files.py",),
    ),
    _Named(
        "the length that the service told is not held against what came",
        "pipeline/fetch.py",
        "await asyncio.to_thread(_prove, job, part, folder, context, declared)",
        "await asyncio.to_thread(_prove, job, part, folder, context, None)",
        ("tests/pipeline/test_fetch.py",),
    ),
    _Named(
        "a 404 of a poll fails the job",
        "pipeline/follow.py",
        "    watch.missing = 0\n    if polled.failed:",
        "    watch.missing = 0\n    if polled.failed or not polled.status:",
        (_FOLLOW,),
    ),
    _Named(
        "an unknown status is a failure",
        "engine/protocol.py",
        "failed=word in _FAILED,",
        'failed=word not in _DONE | {"queued", "running", "processing", "pending"},',
        (_PROTOCOL,),
    ),
    _Named(
        "REAPER acts twice on a delivery",
        "../reaper_scripts/lib/placing.lua",
        'if noted ~= "" then\n    return noted\n  end\n  for _, word in ipairs({ PLACED, UNPLACED }) do',
        "for _, word in ipairs({}) do",
        ("tests/reaper/test_placing.py", "tests/reaper/test_watcher.py"),
    ),
    _Named(
        "REAPER does not read back what it placed",
        "../reaper_scripts/lib/fill.lua",
        "wrong = wrong or read_back(item, data, result, path)",
        "",
        ("tests/reaper/test_placing.py",),
    ),
    _Named(
        "Live acts twice on a delivery",
        "../max_for_live/js/placer.js",
        "if (this.acted[key]) {",
        "if (false) {",
        (_LIVE_ONCE, _LIVE_RELOADED),
    ),
    _Named(
        "Live places what stands in a set that was opened again",
        "../max_for_live/js/placer.js",
        "if (!answer && !this.asked[told.id]) {",
        "if (false) {",
        (_LIVE_RELOADED,),
    ),
    _Named(
        "Live lets a clip go before the new one stands",
        "../max_for_live/js/arrangement.js",
        "var made = copy(order, track, clip, order.beats, number);",
        'track.call("delete_clip", "id " + number);\n    var made = copy(order, track, clip, order.beats, number);',
        ("tests/live/test_fit.py::test_a_clip_stays_where_live_puts_no_copy_in_its_place",),
    ),
)

#: Mutants that change nothing that a test could see, each with the reason.
_PLACES: Final = "a place has keys only where the body names them"
_HAS_ID: Final = "what was accepted has an id"
_LOGGED: Final = "it is a text for the log"
_NO_PRESET: Final = "no preset has that name either"
_NO_PRICE: Final = "half a micro-dollar is no price"
_NEAR: Final = "within a frame or two either is right"
EQUIVALENT: Final[dict[str, str]] = {
    "studio/budget.py _ahead: edge: place(one.worker, one.kind, one.since) < mine": "no other waits for the same",
    "studio/membership.py Membership.holds: part: not self._replaced": "the statement asks for the process as well",
    "studio/leases.py Seen.alive: edge: self.silent < DEAD": "it is for people, and to the moment",
    'spending/chain.py _from_take: part: ""': _NO_PRESET,
    'spending/chain.py _in_order: part: ""': _NO_PRESET,
    'spending/chain.py _in_order: part: "" #2': _NO_PRESET,
    "spending/press.py fingerprint_of: part: {}": _PLACES,
    "spending/press.py RecentPresses.remember: edge: len(self._accepted) > _REMEMBERED": "999 or 1000 are remembered",
    "spending/press.py module: member 'version'": "there is one version",
    "spending/press.py module: member 'place'": "the place is written anew after that",
    "spending/prices.py covers: edge: usd * MICRO + HALF_A_CENT + 0.5 >= price": _NO_PRICE,
    "spending/prices.py names: edge: usd * MICRO - 0.5 <= price + 2 * HALF_A_CENT": _NO_PRICE,
    "spending/offers.py check_replaced: part: source_seconds is not None #2": "what replaces a region has a source",
    "spending/offers.py check_replaced: edge: end > source_seconds + _NEAR": _NEAR,
    "spending/offers.py check_replaced: edge: abs(duration - source_seconds) > _NEAR": _NEAR,
    "spending/offers.py is_stranger: part: fault.value not in models()": "it became known a moment ago",
    "actions/jobs.py _deliver: part: 0.0": "nothing is 0, too",
    "pipeline/conveyor.py Conveyor._turn: part: ready.done()": "who was not asked for has a place by then",
    "pipeline/context.py OnWire.finish: bare: max(0.0, left) #2": "asyncio takes less than nothing for nothing",
    "pipeline/conveyor.py Conveyor._once: part: job.state in OPEN": "what is delivered gives it back at once",
    "pipeline/conveyor.py Conveyor._turn: never: self._context.pause.current is None and slot.at_hand": (
        "it is the short way to what follows"
    ),
    "actions/jobs.py JobActions.deliver: part: {}": "it is only asked whether there is something in it",
    "actions/jobs.py _resolvable: part: job.state in (State.GENERATING, State.FETCHING)": (
        "MOVES lets no other be closed, or be followed"
    ),
    "spending/pause.py module: member PANIC": "a panic has a rank of its own",
    "pipeline/submit.py begin: never: fresh.state not in RESERVED": "MOVES lets nothing else be sent either",
    "pipeline/submit.py apply: part: outcome.kind is SubmitOutcome.ACCEPTED": "nothing else has an id",
    'pipeline/submit.py late_answer: part: ""': _HAS_ID,
    'pipeline/submit.py apply: part: ""': _HAS_ID,
    "pipeline/submit.py _written: part: outcome.remote_id": _LOGGED,
    "pipeline/submit.py _written: part: ''": _LOGGED,
    "pipeline/submit.py post: part: sent.outcome().remote_id": _LOGGED,
    "pipeline/submit.py post: part: ''": _LOGGED,
    "pipeline/submit.py _duplicate: keyword charge: tx.move(job, State.UNKNOWN, event=event, charge=Charge.POSSIBLE, probl": (  # noqa: E501
        "it is possible since it is being sent"
    ),
}


#: Mutants that the stories in tests/stories have to find as well, whatever else does: by the start of their names.
_SMALL_BOUNDS: Final = "tests/stories/test_small_bounds.py"
_MACHINE: Final = "tests/stories/test_machine.py"
STORIES: Final = (
    "a job that was lost on the wire is sent again",
    "what is perhaps charged does not count",
    "nothing is reserved",
    "charges of later days do not count",
    "an age is read from the wall clock alone",
    "pipeline/submit.py begin: never: tx.paused(job)",
    "pipeline/submit.py begin: deed: check_age(",
    "pipeline/submit.py begin: deed: check_price(",
    "pipeline/submit.py begin: deed: check_limits(",
    "pipeline/submit.py apply: never: outcome.kind is SubmitOutcome.ACCEPTED and tx.remote_id_taken",
    "pipeline/submit.py apply: never: meaning.state is State.QUEUED and not tx.job(job.id).wanted",
    "pipeline/submit.py submit: never: job.publication is not None",
    "pipeline/at_once.py AtOnce.mark: never: job.action",
    "what became of a submit is read from the answer to an earlier one",
    "spending/admit.py Admit._accept: never: before is not None",
    "pipeline/confirm.py placed: never: delivery < job.delivery",
)


def chosen() -> Iterator[Mutant]:
    """Yield every mutant, those by name first; those for the stories once more."""
    for mutant in _each():
        yield mutant
        if mutant.name.startswith(STORIES):
            yield replace(mutant, name=f"stories: {mutant.name}", tests=(_SMALL_BOUNDS, _MACHINE))


def _each() -> Iterator[Mutant]:
    for named in NAMED:
        path = (_PACKAGE + named.path).replace("bridge_daemon/../", "")
        text = (ROOT / path).read_text(encoding="utf-8")
        if text.count(named.old) != 1:
            raise LookupError(f'"{named.name}" is made of a text that stands {text.count(named.old)} times in {path}')
        yield Mutant(named.name, path, text.replace(named.old, named.new), named.tests)
    for module in MODULES:
        for mutant in by_rule(_PACKAGE + module.path, module.tests, module.only):
            if mutant.name not in EQUIVALENT:
                yield mutant
