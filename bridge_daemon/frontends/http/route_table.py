"""Every route of the API, each declared once: the app, the table in docs/http.md and the OpenAPI description are made
from this.
"""

from __future__ import annotations

from typing import Final

from bridge_daemon.domain import ids
from bridge_daemon.domain.job import State
from bridge_daemon.domain.render import RenderState
from bridge_daemon.domain.request import Request
from bridge_daemon.domain.sound_files import MOST_BUCKETS
from bridge_daemon.frontends.http import (
    bodies,
    handle_daemon,
    handle_jobs,
    handle_page,
    handle_session,
    handle_settings,
    handle_sources,
)
from bridge_daemon.frontends.http.query import Choices, Day, Flag, Text, Whole
from bridge_daemon.frontends.http.routing import Access, Route
from bridge_daemon.settings.load import Settings

DEFAULT_LIMIT: Final = 50
MOST_JOBS: Final = 500
DEFAULT_BUCKETS: Final = 800
_LONGEST: Final = 200  # characters of a search
_SETTINGS_BODY: Final = 1024 * 1024  # bytes: hundreds of bindings and presets
_ANY: Final = rf"(?s)^.{{0,{_LONGEST}}}$"
_SHORT: Final = f"must have at most {_LONGEST} characters"

_LIMIT = Whole(name="limit", meaning="How many at most.", most=MOST_JOBS, default=DEFAULT_LIMIT)
_BUCKETS = Whole(name="buckets", meaning="Parts of the waveform.", most=MOST_BUCKETS, default=DEFAULT_BUCKETS)
_SEARCH: Final = (
    Choices(name="state", meaning="States, with commas between them.", kind=State),
    Text(
        name="q",
        meaning="Text in the prompt or a tag; or the whole name of a preset, the id of a job or of a request.",
        pattern=_ANY,
        allowed=_SHORT,
    ),
    Text(name="client", meaning="A client.", pattern=f"^{ids.CLIENT}$", allowed="1 to 40 of a-z, 0-9 and -"),
    Text(name="preset", meaning="The name of a preset.", pattern=_ANY, allowed=_SHORT),
    Text(name="project", meaning="A project of the place, by name or by id.", pattern=_ANY, allowed=_SHORT),
    Text(name="tag", meaning="A tag.", pattern=_ANY, allowed=_SHORT),
    Day(name="from", meaning="Asked for on this local day or later."),
    Day(name="to", meaning="Asked for on this local day or earlier."),
    Flag(name="favourite", meaning="Favourites, or all others."),
    Flag(name="take", meaning="Jobs with a take, or those without one."),
    Flag(name="trashed", meaning="What lies in the trash, or all else. Left out: all else.", default=False),
    _LIMIT,
    Text(
        name="before",
        meaning="Where a page begins: the `next` of the page before.",
        pattern=f"^{ids.JOB}$",
        allowed="must be the id of a job",
    ),
)

ROUTES: Final[tuple[Route, ...]] = (
    # --- who is there
    Route(
        method="GET",
        path="/healthz",
        handler=handle_session.health,
        access=Access.OPEN,
        any_query=True,
        summary='`{"ok": true}`. With `X-Bridge-Nonce` the answer proves, in `X-Bridge-Proof`, that the bridge knows '
        "the token",
    ),
    Route(
        method="POST",
        path="/api/session/code",
        handler=handle_session.make_code,
        access=Access.TOKEN,  # a session cannot make another one
        per_minute=60,
        summary="`{code, seconds}`: a code that opens one session of a browser, once, within 60 s",
    ),
    Route(
        method="POST",
        path="/api/session",
        handler=handle_session.open_session,
        access=Access.OPEN,  # the code in it is the proof
        body=bodies.Code,
        verbatim=True,  # whatever is wrong with a code has one answer
        summary="`{code}` buys the cookie of a session: HttpOnly, SameSite=Strict, for a day. It is over when the "
        "token changes, and survives a restart of the bridge",
    ),
    Route(
        method="DELETE",
        path="/api/session",
        handler=handle_session.end_session,
        summary="ends the session that it comes with: `{ended}`",
    ),
    # --- the page
    Route(
        method="GET",
        path="/",
        handler=handle_page.index,
        access=Access.OPEN,
        any_query=True,
        media="text/html",
        summary="the page. `daw-bridge open` opens `/#code=CODE`; the page posts the code",
    ),
    Route(
        method="GET",
        path="/page/{file}",
        handler=handle_page.file,
        access=Access.OPEN,
        any_query=True,
        media="application/octet-stream",
        summary="a file of the page, with an ETag",
    ),
    # --- requests and jobs
    Route(
        method="POST",
        path="/api/requests",
        handler=handle_jobs.admit,
        body=Request,
        verbatim=True,
        may_cost=True,
        answers=(200, 202),
        summary="202 `{id, jobs, usd}`; the same id and body again: 200 and the same answer",
    ),
    Route(
        method="POST",
        path="/api/estimate",
        handler=handle_jobs.estimate,
        body=Request,
        verbatim=True,
        summary="what a request would cost, which may be unfinished; nothing is sent: `{usd, each_usd, variations, "
        "engine, model, duration, cut, confirm, refused, faults}`. `confirm`: it needs `confirm_usd`; `refused`: the error "
        "that it would get for its money (limit, pause, price), or null; `faults`: what else is wrong with it",
    ),
    Route(
        method="GET",
        path="/api/jobs",
        handler=handle_jobs.jobs,
        query=_SEARCH,
        summary="`{jobs: [...], next}`, newest first; `next`, given as `before`, asks for the page after it, and is null "
        "on the last one",
    ),
    Route(
        method="GET",
        path="/api/jobs/{job}",
        handler=handle_jobs.job,
        summary="the job, with `events`: everything that happened to it, and `again`: a request, without an `id`, that asks "
        "for the same once more, for the library",
    ),
    Route(
        method="PATCH",
        path="/api/jobs/{job}",
        handler=handle_jobs.mark,
        body=bodies.Marks,
        summary="`{favourite, tags, trashed}`, each optional: what you think of a take. What is trashed is left out of "
        "lists and stays in the library; `trashed: false` brings it back. A job on its way cannot be trashed (`E-STATE`)",
    ),
    Route(
        method="POST",
        path="/api/jobs/{job}/cancel",
        handler=handle_jobs.cancel,
        summary="before it is sent: ended, nothing spent. Later: the take is kept and not placed",
    ),
    Route(
        method="POST",
        path="/api/jobs/{job}/retry",
        handler=handle_jobs.retry,
        body=bodies.Retry,
        may_cost=True,
        summary="`{id}` (a new UUID: this may cost). A held job is sent; a failed, refused or unknown one is asked for "
        "again as a new job; one that is charged already is fetched or delivered again, free. `confirm_usd` and `again` "
        "as in a request",
    ),
    Route(
        method="POST",
        path="/api/jobs/{job}/deliver",
        handler=handle_jobs.deliver,
        summary="brings the take once more; free",
    ),
    Route(
        method="POST",
        path="/api/jobs/{job}/reveal",
        handler=handle_jobs.reveal,
        per_minute=60,
        summary="shows the take in the file manager of this machine: `{file}`",
    ),
    Route(
        method="POST",
        path="/api/jobs/{job}/resolve",
        handler=handle_jobs.resolve,
        body=bodies.Resolve,
        may_cost=True,
        summary='`{action: "submit_again", id}`, `{action: "attach", remote_id}` or '
        '`{action: "dismiss", charged: true\\|false}`',
    ),
    Route(
        method="GET",
        path="/api/jobs/{job}/audio",
        handler=handle_jobs.audio,
        streams=True,
        answers=(200, 206),
        media="audio/wav",
        summary="the take (WAV, with ranges)",
    ),
    Route(
        method="GET",
        path="/api/jobs/{job}/source",
        handler=handle_jobs.source,
        streams=True,
        answers=(200, 206),
        media="audio/wav",
        summary="the source as it was sent",
    ),
    Route(
        method="GET",
        path="/api/jobs/{job}/peaks",
        handler=handle_jobs.peaks,
        query=(_BUCKETS,),
        summary="the waveform: `{rate, frames, channels, min, max}`",
    ),
    Route(
        method="GET",
        path="/api/jobs/{job}/source/peaks",
        handler=handle_jobs.source_peaks,
        query=(_BUCKETS,),
        summary="the waveform of the source as it was sent",
    ),
    # --- sources
    Route(
        method="POST",
        path="/api/sources",
        handler=handle_sources.add,
        query=(
            Text(
                name="name",
                meaning="The name of the file, for people.",
                pattern=_ANY,
                allowed=_SHORT,
            ),
        ),
        raw=handle_sources.TYPES,
        longest=handle_sources.LONGEST,
        per_minute=60,
        streams=True,
        answers=(200, 201),
        summary="the bytes of an audio file, 256 MiB at most: 201 `{source, path, name, bytes, seconds, rate, channels}`, "
        "200 if it is there already. `path` is what a request names as `source.path`; the copy is kept as long as other "
        "sources (`[audio] keep_sources_days`)",
    ),
    Route(
        method="GET",
        path="/api/sources/{source}/audio",
        handler=handle_sources.audio,
        streams=True,
        answers=(200, 206),
        media="audio/wav",
        summary="a source that was added, with ranges",
    ),
    Route(
        method="GET",
        path="/api/sources/{source}/peaks",
        handler=handle_sources.peaks,
        query=(_BUCKETS,),
        summary="its waveform",
    ),
    # --- the whole
    Route(
        method="GET",
        path="/api/status",
        handler=handle_daemon.status,
        summary="version, engine, price, what was spent and the limits, pause, jobs by state, `connections` (who is "
        "connected and when it was last seen), how sources are published (`publish`: `method`, `ready`, `problem`, "
        "`tunnel` with `url` and `open_sources`), what needs you",
    ),
    Route(
        method="GET",
        path="/api/events",
        handler=handle_daemon.events,
        streams=True,
        media="text/event-stream",
        summary="server-sent events: `hello`, `job`, `paused`, `publish` (a tunnel opened or closed), `settings` (they "
        "were changed), `lost` (read everything again). See [events](#events)",
    ),
    Route(
        method="POST",
        path="/api/pause",
        handler=handle_daemon.pause,
        body=bodies.Pause,
        summary="stops all sending; `{reason}` is `person` or `panic`. A panic disarms the pads, holds all that was not "
        "sent, and stops deliveries until resume",
    ),
    Route(method="POST", path="/api/resume", handler=handle_daemon.resume, summary="goes on"),
    Route(
        method="GET",
        path="/api/spend",
        handler=handle_daemon.spend,
        summary="spent today and this month, reserved, limits",
    ),
    Route(
        method="GET",
        path="/api/prices",
        handler=handle_daemon.prices,
        per_minute=60,
        query=(
            Text(
                name="model",
                meaning="A model that the service's catalogue is asked for first, if nobody knows it yet.",
                pattern=f"^{ids.MODEL}$",
                allowed="the name of a model",
            ),
        ),
        summary="for each model: the price counted with, the table's, the catalogue's; `new`: nobody agreed to it yet",
    ),
    Route(
        method="POST",
        path="/api/prices/agree",
        handler=handle_daemon.agree_price,
        body=bodies.Price,
        summary="`{model, usd}`: agree to a dearer price of the service",
    ),
    Route(
        method="GET",
        path="/api/key/check",
        handler=handle_daemon.check_key,
        per_minute=20,
        summary="asks the service, free of charge, whether it accepts the key",
    ),
    Route(
        method="POST",
        path="/api/key/reload",
        handler=handle_daemon.reload_key,
        summary="reads the key again, after it was set or cleared",
    ),
    Route(
        method="POST",
        path="/api/sources/try",
        handler=handle_daemon.try_sources,
        per_minute=6,
        streams=True,
        summary="publishes a short made-up sound, fetches it back and withdraws it, free of charge: `{method, tried, seconds, "
        "text}`; 424 `E-PUBLISH` if the service could not fetch a source. A tunnel may take minutes to open. The service's "
        "upload is not tried (`tried: false`)",
    ),
    # --- settings
    Route(
        method="GET",
        path="/api/settings",
        handler=handle_settings.settings,
        summary="`{file, revision, settings, given, environment, fields}`: all that holds, without credentials; what "
        "config.toml itself says; which settings the environment sets, and by which variable; and what is known of each "
        "setting (type, default, what is allowed, meaning). See [settings](#settings)",
    ),
    Route(
        method="PATCH",
        path="/api/settings",
        handler=handle_settings.change_settings,
        body=Settings,
        verbatim=True,
        longest=_SETTINGS_BODY,
        summary="writes settings, presets, bindings and folders into config.toml, all of them or none, and heeds them: "
        "`{changed, after_restart, revision}`. See [settings](#settings)",
    ),
    Route(
        method="POST",
        path="/api/settings/reload",
        handler=handle_settings.reload_settings,
        summary="reads `config.toml` again → `{reloaded, changed: {setting: [before, after]}, after_restart: "
        "[settings]}`; wrong settings keep the old ones",
    ),
    Route(
        method="GET",
        path="/api/presets",
        handler=handle_settings.presets,
        summary="the presets of `config.toml`",
    ),
    Route(
        method="GET",
        path="/api/parameters",
        handler=handle_settings.parameters,
        summary="`{parameters: [...]}`: each with its name, kind, meaning, unit, range and default, as [parameters](parameters.md) "
        "has them",
    ),
    Route(
        method="GET",
        path="/api/doctor",
        handler=handle_settings.doctor,
        summary="`{findings: [...]}`: what `daw-bridge doctor` finds, each with `key`, `state` (`ok`, `warn`, `fail`), `text` "
        "and `fix`",
    ),
    Route(
        method="GET",
        path="/api/log",
        handler=handle_daemon.log,
        query=(Whole(name="lines", meaning="How many lines of the end.", most=1000, default=200),),
        summary="`{file, lines}`: the end of the log. There are no secrets in it",
    ),
    Route(
        method="GET",
        path="/api/openapi.json",
        handler=handle_settings.openapi,
        summary="this description, as OpenAPI 3.1",
    ),
    # --- the first run
    Route(
        method="GET",
        path="/api/setup",
        handler=handle_settings.setup,
        summary="the steps of `daw-bridge setup`: `{steps: [{key, title, what, alone, state, text}], ways, daws, spend, "
        "presets}`; `state` is `open`, `done` or `skipped`",
    ),
    Route(
        method="POST",
        path="/api/setup",
        handler=handle_settings.set_up,
        body=bodies.Setup,
        per_minute=30,
        streams=True,
        summary="does one of those steps, free of charge: `{step, ...}` → `{step, result, text}`. `key` needs `key`; `limits` "
        "takes `per_day_usd`, `per_month_usd`, `confirm_above_usd`; `sources` takes `way`; `daws` takes `daws`; `folders` needs "
        "`folder`, takes `preset`; `midi` needs `clock_port`; `service` and `test` take nothing. `skip: true` leaves it out",
    ),
    # --- MIDI
    Route(
        method="POST",
        path="/api/midi/arm",
        handler=handle_daemon.arm_pads,
        summary="lets pads spend money, for the time and the sum that `[midi]` names; answers the stage",
    ),
    Route(
        method="POST",
        path="/api/midi/disarm",
        handler=handle_daemon.disarm_pads,
        summary="lets pads spend nothing; answers the stage",
    ),
    Route(
        method="POST",
        path="/api/midi/listen",
        handler=handle_daemon.listen_midi,
        body=bodies.Listen,
        summary="`{port, since, wait, mute, stop}`: what came in at the inputs that a pattern fits, after the message "
        "`since` (left out: from now on), waiting up to `wait` s (10 at most) for it: `{messages, next, problem, open}`. "
        "Opens those inputs until 15 s after the last question; `mute`: presses there do nothing meanwhile; `stop`: "
        "listen no more",
    ),
    # --- watched folders
    Route(
        method="GET",
        path="/api/folders",
        handler=handle_daemon.folders,
        summary="the watched folders: `{folders, waiting}`",
    ),
    Route(
        method="GET",
        path="/api/folders/renders",
        handler=handle_daemon.renders,
        query=(
            Text(
                name="folder",
                meaning="The name of a watched folder.",
                pattern=rf"(?s)^.{{1,{_LONGEST}}}$",
                allowed=_SHORT,
            ),
            Choices(name="state", meaning="States, with commas between them.", kind=RenderState),
            _LIMIT,
            Whole(name="before", meaning="The last render of the page before.", most=999_999_999),
        ),
        summary="`{renders: [...]}`, newest first: each with `entry` (its number), `state`, `code`, `text`, `jobs`",
    ),
    Route(
        method="POST",
        path="/api/folders/send",
        handler=handle_daemon.send_render,
        body=bodies.SendRender,
        may_cost=True,
        answers=(202,),
        summary="`{entry, id}` (a new UUID: this costs): makes a job of a render, by number, name or path; 202 `{id, "
        "jobs, usd, entry}`. `again: true` asks once more, with a new seed; `confirm_usd` as in a request",
    ),
    Route(
        method="POST",
        path="/api/folders/forget",
        handler=handle_daemon.forget_render,
        body=bodies.Render,
        summary="`{entry}`: takes a waiting render off the list; its file is not touched",
    ),
)
