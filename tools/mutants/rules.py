"""Which mutants there are: rules over the syntax of the modules that decide about money."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Calls whose result nobody uses: they check, write, remember or take back something.
_DEEDS: Final = frozenset(
    [
        "check",
        "check_age",
        "check_files",
        "check_limits",
        "check_pause",
        "check_price",
        "check_price_question",
        "close",
        "close_in",
        "block",
        "fsync",
        "flush",
        "flush_descriptor",
        "flush_folder",
        "flush_to_disk",
        "guard",
        "hold",
        "move",
        "note",
        "reload_key",
        "remember",
        "set_fact",
        "set_problem",
        "touch",
        "withdraw",
        "restore",
        "add",
        "add_request",
        "add_jobs",
        "_check_files",
        "_close",
        "_note",
        "_record",
    ]
)
#: What is left of a call that only makes its argument safer.
_WRAPPERS: Final = frozenset({"shield", "max", "min", "until_written"})
#: For each certainty the next best, which is wrong.
_OTHER: Final = {
    "SubmitOutcome": {
        "ACCEPTED": "UNKNOWN",
        "NOT_SENT": "UNKNOWN",
        "RATE_LIMITED": "REFUSED",
        "REFUSED": "RATE_LIMITED",
        "UNKNOWN": "NOT_SENT",
    },
    "Charge": {"NONE": "POSSIBLE", "POSSIBLE": "NONE", "CONFIRMED": "POSSIBLE"},
}
_EDGES: Final[dict[type[ast.cmpop], str]] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_SIGNS: Final = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file."""

    name: str
    path: str  # from the root of the tree
    source: str  # the whole file with the change in it
    tests: tuple[str, ...]

    @property
    def changes_nothing(self) -> bool:
        """Whether it is none: its tests are run to see that they are green without it."""
        return not self.name


@dataclass(frozen=True, slots=True)
class _Edit:
    rule: str
    node: ast.AST
    text: str


def _guards(tree: ast.AST) -> Iterator[ast.If]:
    """Yield each condition that does nothing but refuse or leave."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise | ast.Return):
            yield node


def _never(tree: ast.AST) -> Iterator[_Edit]:
    """A guard is never taken."""
    for guard in _guards(tree):
        yield _Edit("never", guard.test, "False")


def _part(tree: ast.AST) -> Iterator[_Edit]:
    """One part of a condition does not count."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp):
            for part in node.values:
                yield _Edit("part", part, "True" if isinstance(node.op, ast.And) else "False")


def _edge(tree: ast.AST) -> Iterator[_Edit]:
    """A limit is taken with, or without, its edge."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _EDGES:
            left, right = ast.unparse(node.left), ast.unparse(node.comparators[0])
            yield _Edit("edge", node, f"{left} {_EDGES[type(node.ops[0])]} {right}")


def _summand(tree: ast.AST) -> Iterator[_Edit]:
    """One summand of what is compared is left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(type(op) in _SIGNS for op in node.ops):
            for inner in ast.walk(node.left):
                if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add):
                    yield from (
                        _Edit("summand", part, "0")
                        for part in (inner.left, inner.right)
                        if not isinstance(part, ast.BinOp)
                    )


def _deed(tree: ast.AST) -> Iterator[_Edit]:
    """A check, a note or a flush is left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(call, ast.Call) and _called(call) in _DEEDS:
                yield _Edit("deed", node, "pass")


def _bare(tree: ast.AST) -> Iterator[_Edit]:
    """What makes its argument safer is taken off."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in _WRAPPERS and node.args:
            for part in node.args if _called(node) in ("max", "min") else node.args[:1]:
                inside = part.body if isinstance(part, ast.Lambda) else part
                yield _Edit("bare", node, f"({ast.unparse(inside)})")


def _meaning(tree: ast.AST) -> Iterator[_Edit]:
    """What is written of an outcome, or of a charge, is something else."""
    looked_at = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Compare) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and id(node) not in looked_at:
            other = _OTHER.get(node.value.id, {}).get(node.attr)
            if other is not None:
                yield _Edit("meaning", node, f"{node.value.id}.{other}")


def _keyword(tree: ast.AST) -> Iterator[_Edit]:
    """A change of a job, or a precaution of a POST, is left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in ("move", "note", "touch", "post", "tx.update"):
            for number, keyword in enumerate(node.keywords):
                if keyword.arg in ("text", "event", None):  # for people
                    continue
                rest = [*node.keywords[:number], *node.keywords[number + 1 :]]
                yield _Edit(f"keyword {keyword.arg}", node, ast.unparse(ast.Call(node.func, node.args, rest)))


def _member(tree: ast.AST) -> Iterator[_Edit]:
    """A member of a table of this module is left out."""
    for statement in getattr(tree, "body", []):
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and value.args:
            value = value.args[0]
        if isinstance(value, ast.Set | ast.Tuple) and len(value.elts) > 1:
            for number in range(len(value.elts)):
                kept = type(value)(elts=[*value.elts[:number], *value.elts[number + 1 :]])
                text = ast.unparse(kept)
                yield _Edit(f"member {ast.unparse(value.elts[number])}", value, f"({text})")
        if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
            for number, key in enumerate(value.keys):
                keys, values = list(value.keys), list(value.values)
                del keys[number], values[number]
                yield _Edit(f"member {ast.unparse(key) if key else ''}", value, ast.unparse(ast.Dict(keys, values)))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


RULES: Final[tuple[Callable[[ast.AST], Iterator[_Edit]], ...]] = (
    _never,
    _part,
    _edge,
    _summand,
    _deed,
    _bare,
    _meaning,
    _keyword,
    _member,
)


def by_rule(path: str, tests: tuple[str, ...], only: frozenset[str] = frozenset()) -> Iterator[Mutant]:
    """Yield every mutant that the rules make of a module, or of ``only`` some functions of it."""
    text = (ROOT / path).read_text(encoding="utf-8")
    tree, seen = ast.parse(text), Counter[str]()
    spans = [
        (node.lineno, node.end_lineno or node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    for rule in RULES:
        for edit in rule(tree):
            node = edit.node
            where = [name for first, last, name in sorted(spans) if first <= node.lineno <= last]  # type: ignore[attr-defined]
            if only and not only & set(where):
                continue
            change = " ".join((ast.get_source_segment(text, node) or "").split())
            name = f"{path.removeprefix('bridge_daemon/')} {'.'.join(where) or 'module'}: {edit.rule}"
            name += "" if edit.rule.startswith("member") else f": {change[:70]}"
            seen[name] += 1
            name += f" #{seen[name]}" if seen[name] > 1 else ""
            yield Mutant(name, path, _replaced(text, node, edit.text), tests)


def _replaced(text: str, node: ast.AST, new: str) -> str:
    """Return the text with a node replaced. Columns of ``ast`` count bytes."""
    lines = text.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset  # type: ignore[attr-defined]
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset  # type: ignore[attr-defined]
    data = b"".join(lines)
    return (data[:start] + new.encode() + data[end:]).decode()
