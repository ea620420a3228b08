"""``daw-bridge midi``: the controllers that are there, what they send, and pads that are learned from a press."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

import typer

from bridge_daemon.cli import format, problems, terminal
from bridge_daemon.cli import options as o
from bridge_daemon.cli.connection import talk, tell
from bridge_daemon.home.paths import Home
from bridge_daemon.util.tasks import cancel_and_wait

app = typer.Typer(help="Controllers: pads, knobs and keys.", no_args_is_help=True, rich_markup_mode=None)

Data = dict[str, Any]
#: A knob that is learned has come to rest after this, s; a pad, too, and a 14 bit controller has sent both halves.
_REST: Final = 1.0
_WAIT: Final = 5.0  # s, of one question to the daemon

#: How long ports take to be found and opened, s.
_OPENING: Final = 0.8
READY: Final[Data] = {"message": "ready"}

Port = Annotated[str, typer.Option(help="Which inputs, by name; * and ? stand for anything.")]


@app.command("ports")
def ports(json: o.Json = False) -> None:
    """List the MIDI inputs and outputs of this machine. None of them is opened."""
    from bridge_daemon.frontends.midi.driver import MidiSystem, NoMidi
    from bridge_daemon.frontends.midi.port_types import twins

    found: Data = {"problem": None, "inputs": [], "outputs": [], "twins": {}}
    try:
        system = MidiSystem()
        inputs, outputs = system.inputs(), system.outputs()
        system.close()
        found |= {"inputs": list(inputs), "outputs": list(outputs), "twins": twins(inputs) | twins(outputs)}
    except NoMidi as error:
        found["problem"] = str(error)
    status = tell(lambda bridge: bridge.status())
    midi = (status or {}).get("midi") or {}
    found |= {"open": midi.get("open", []), "lit": midi.get("lit", []), "trouble": midi.get("trouble", {})}
    if json:
        terminal.dump(found)
        return
    if found["problem"]:
        terminal.say(f"There is no MIDI here: {found['problem']}.")
        return
    for kind, opened in (("inputs", "open"), ("outputs", "lit")):
        terminal.say(f"{kind.capitalize()}:", "bold")
        for name in found[kind] or ["none"]:
            ours = "   (open in the bridge)" if name in found[opened] else ""
            terminal.say(f"  {name}{ours}")
    for line in format.port_troubles(found):
        terminal.say(line, "yellow")


@app.command("monitor")
def monitor(port: Port = "*", json: o.Json = False) -> None:
    """Show what controllers send, until Ctrl-C. Pads go on doing what they are for."""

    async def show() -> None:
        async with aclosing(_messages(port, mute=False)) as messages:
            async for one in messages:
                if one is READY:
                    terminal.note(f'Listening to "{port}". Ctrl-C ends it.', "dim")
                elif json:
                    terminal.dump(one)
                else:
                    terminal.say(_line(one))

    asyncio.run(show())


def _line(one: Data) -> str:
    told = [f"{name} {one[name]}" for name in ("channel", "number", "value") if name in one]
    return f"{one['port']}  {one['message']}  {', '.join(told)}  [{one['bytes']}]"


@app.command("arm")
def arm(json: o.Json = False) -> None:
    """Let pads spend money, for the time and the sum that [midi] names."""
    stage = talk(lambda bridge: bridge.arm_pads())
    if json:
        terminal.dump(stage)
    else:
        terminal.say(f"Pads are armed for {stage['minutes_left']:g} min and ${stage['budget_usd']:.2f}.")


@app.command("disarm")
def disarm(json: o.Json = False) -> None:
    """Let pads spend nothing."""
    stage = talk(lambda bridge: bridge.disarm_pads())
    if json:
        terminal.dump(stage)
    else:
        terminal.say("Pads are disarmed.")


@app.command("learn")
def learn(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the new binding is called.")],
    port: Port = "*",
    action: Annotated[str, typer.Option(help="preset, set, cancel, deliver, arm, disarm or panic.")] = "preset",
    preset: Annotated[str | None, typer.Option(help="The preset that it plays.")] = None,
    parameter: Annotated[str | None, typer.Option(help="The parameter that a knob sets.")] = None,
    relative: Annotated[
        bool, typer.Option("--relative", help="The knob has no end: learn its two directions.")
    ] = False,
    source: Annotated[str | None, typer.Option(help="newest_take, selection or folder:NAME, for transforms.")] = None,
    job: Annotated[str | None, typer.Option(help="The job whose take deliver brings.")] = None,
    client: o.Client = None,
    track: o.Track = None,
    when: Annotated[str | None, typer.Option(help="press, press_bar or arrival_bar.")] = None,
    bars: Annotated[int | None, typer.Option(help="Length of the take, in bars.")] = None,
    launch: Annotated[str | None, typer.Option(help="none or quantized.")] = None,
    confirm: Annotated[str | None, typer.Option(help="none, hold or twice.")] = None,
    velocity_to: Annotated[str | None, typer.Option(help="A parameter that the velocity sets.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False,
    json: o.Json = False,
) -> None:
    """Make a binding from what you press.

    It is shown first, and written into config.toml when you agree. While it listens, pads of those ports do nothing
    else (but for panic and disarm).
    """
    from bridge_daemon.settings.file import add_binding

    home = Home.locate()
    home.prepare()
    heard = asyncio.run(_learn(port, knob=action == "set", relative=relative))
    given = {
        "preset": preset,
        "parameter": parameter,
        "source": source,
        "job": job,
        "client": client,
        "track": track,
        "when": when,
        "bars": bars,
        "launch": launch,
        "confirm": confirm,
        "velocity_to": velocity_to,
    }
    binding = {"name": name} | heard | {"action": action} | {k: v for k, v in given.items() if v is not None}
    terminal.note("[[midi.bindings]]", "bold")
    for key, value in binding.items():
        terminal.note(f"{key} = {_toml(value)}")
    if not (yes or (terminal.is_person() and terminal.ask("Write this into config.toml?"))):
        terminal.note("Nothing was written." + ("" if terminal.is_person() else " --yes writes it without asking."))
        raise typer.Exit(problems.FAILED)
    add_binding(home, binding)
    if json:
        terminal.dump(binding)
    reloaded = tell(lambda bridge: bridge.reload_settings())
    known = "The running bridge knows it already." if reloaded else "It counts when the bridge runs."
    terminal.note(f"Written to {home.config}. {known}")


def _toml(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


async def _learn(pattern: str, *, knob: bool, relative: bool) -> Data:
    """Return the settings of a binding for what somebody does now."""
    from bridge_daemon.frontends.midi.driver import bare
    from bridge_daemon.frontends.midi.gestures import encoding_of

    async with aclosing(_messages(pattern, mute=True)) as messages:
        queue: asyncio.Queue[Data] = asyncio.Queue()
        await anext(messages)  # READY
        feeder = asyncio.create_task(_feed(messages, queue))
        try:
            terminal.note(
                "Turn the knob to the right, a few steps." if relative else "Press the pad, or turn the knob."
            )
            heard = await _gesture(queue, feeder)
            learned = _binding(heard, bare(heard[0]["port"]), knob)
            if relative:
                terminal.note("Now turn it to the left, a few steps.")
                back = await _gesture(queue, feeder)
                encoding = encoding_of([one["value"] for one in heard], [one["value"] for one in back])
                if learned["message"] != "control_change" or encoding is None:
                    raise typer.BadParameter("That is no encoder that the bridge can read; leave --relative out.")
                learned |= {"mode": "relative", "encoding": encoding}
                learned.pop("bits", None)
            return learned
        finally:
            await cancel_and_wait(feeder)


async def _feed(messages: AsyncGenerator[Data, None], queue: asyncio.Queue[Data]) -> None:
    async for one in messages:
        if one["message"] in ("note_on", "control_change", "program_change"):
            queue.put_nowait(one)


async def _gesture(queue: asyncio.Queue[Data], feeder: asyncio.Task[None]) -> list[Data]:
    """Return the messages of one gesture: from the first one to a moment of rest."""
    while True:
        first = asyncio.create_task(queue.get())
        await asyncio.wait({first, feeder}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            await feeder  # it ended with an error: that is told
            raise typer.Exit(problems.FAILED)
        heard = [first.result()]
        try:
            while True:
                async with asyncio.timeout(_REST):
                    heard.append(await queue.get())
        except TimeoutError:
            pass
        if any(one["message"] != "note_on" or one["value"] > 0 for one in heard):
            return heard


def _binding(heard: list[Data], port: str, knob: bool) -> Data:
    """Return what was pressed, in the words of a binding."""
    first = next(one for one in heard if one["message"] != "note_on" or one["value"] > 0)
    learned = {"port": port} | {key: first[key] for key in ("message", "channel", "number")}
    fine = {"message": "control_change", "channel": first["channel"], "number": first["number"] + 32}
    coarse = knob and first["message"] == "control_change" and first["number"] < 32
    if coarse and any(all(one.get(key) == value for key, value in fine.items()) for one in heard):
        learned["bits"] = 14
    return learned


async def _messages(pattern: str, *, mute: bool) -> AsyncGenerator[Data, None]:
    """Yield READY once the ports are open, and then what comes in.

    Where the daemon runs it is asked, for many drivers let only one program in; else the ports are opened here.
    """
    from bridge_daemon.client.client import BridgeClient

    home = Home.locate()
    if home.read_runtime() is None:
        async with aclosing(_own(pattern)) as messages:
            async for one in messages:
                yield one
        return
    async with BridgeClient(home) as bridge:
        since = (await bridge.listen_midi(pattern, mute=mute))["next"]
        try:
            await asyncio.sleep(_OPENING)
            yield READY
            while True:
                told = await bridge.listen_midi(pattern, since=since, wait=_WAIT, mute=mute)
                if told["problem"]:
                    raise typer.BadParameter(f"There is no MIDI here: {told['problem']}.")
                since = told["next"]
                for one in told["messages"]:
                    yield one
        finally:
            await bridge.listen_midi(pattern, stop=True)


async def _own(pattern: str) -> AsyncGenerator[Data, None]:
    import mido

    from bridge_daemon.frontends.midi.monitor import shown
    from bridge_daemon.frontends.midi.port_types import Incoming, PortsState, Wanted
    from bridge_daemon.frontends.midi.ports import MidiPorts

    queue: asyncio.Queue[Data] = asyncio.Queue()
    numbers = iter(range(1, 1 << 62))

    def came(incoming: Incoming) -> None:
        try:
            message = mido.Message.from_bytes(incoming.data)
        except ValueError:
            message = None
        queue.put_nowait(shown(next(numbers), incoming, message))

    def changed(state: PortsState) -> None:
        if state.system is not None:
            terminal.note(f"There is no MIDI here: {state.system}.", "yellow")
        for name, trouble in state.trouble.items():
            terminal.note(f"{name} {trouble}.", "yellow")

    opened = MidiPorts(came, changed)
    opened.want(Wanted(inputs=frozenset({pattern})))
    try:
        await asyncio.sleep(_OPENING)
        yield READY
        while True:
            yield await queue.get()
    finally:
        await opened.close()
