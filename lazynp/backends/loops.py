"""Loops and branches as C text: functions that hand their memories to a loop, its limits, its turns and what they contain.

The only elements of memories are local variables of a function: single numbers of a turn stay in registers. What is large is a function of
its own, and may run on threads; loops that may take long look for signals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from lazynp.backends import interrupts, prelude
from lazynp.backends.choices import BRANCH
from lazynp.backends.control import Block, Control, inner_loops
from lazynp.backends.copies import copied
from lazynp.backends.fuse import touched_memories
from lazynp.backends.lanes import Laned
from lazynp.backends.lanes import printed as printed_lanes
from lazynp.backends.lower import Memory, checked
from lazynp.backends.nests import Gemm, loads, scalars
from lazynp.backends.polynomial import Poly, Sizes, product
from lazynp.backends.program import CALLS, ERRORS, FIRST_DIM
from lazynp.backends.render import kernel_of, print_band
from lazynp.backends.schedule import Scheduled
from lazynp.backends.sinking import sunk
from lazynp.backends.sweeps import Sweep, sweep_of, swept
from lazynp.backends.texts import expression, literal
from lazynp.backends.writer import LEAVE, Writer, indented
from lazynp.backends.writer import Program as Text
from lazynp.ir.node import Node, const, dim, numbered_dim, toposort
from lazynp.ops.printing import printed
from lazynp.ops.structured import cond, loop, while_

_INLINE = 2048
"""Kernels of at most so many points are printed into the loop around them; larger ones are functions, which may run on threads."""
_BRIEF = 1 << 24
"""Loops over at most so many points in all never look for signals: they take a few tens of milliseconds."""
_STRIP = 1 << 16
"""Turns of an innermost loop between two looks."""
_LOOK, _LOOK_OFTEN = 256, 16
"""The same for turns with such loops in them, and for turns that contain more: the clock takes 25 ns, a turn at most some milliseconds."""
_STOP = f" if (*(int64_t *)slots[{ERRORS}]) return *(int64_t *)slots[{ERRORS}];"
_FAILS = re.compile(r"\blz_(index|fail)\(")
"""In kernels after which nothing may be written if an index was out of range."""
_FEW = 40
"""Lines of a loop's turn that are few."""
_LOCAL = 64
"""Temporaries of at most so many elements are local variables of C: single numbers stay in registers."""


class Printer:
    """Prints the kernels of a program; `volumes`: how many points each visits at most."""

    def __init__(self, text: Text, sizes: Sizes) -> None:
        self.text = text
        self.sizes = sizes
        self.count = 0
        self.volumes: set[Poly] = set()

    def block(self, block: Block) -> list[tuple[str, str]]:
        """(definition, call) of each part in order."""
        found: list[tuple[str, str]] = []
        for part in block.parts:
            if isinstance(part, Control):
                definition, call, stops = self.function(part)
                found.append((definition, call + _STOP if stops else call))
            else:
                kernels = [self.kernel(group) for group in part]
                found += [(text, call + _STOP if _FAILS.search(text) else call) for text, call in kernels]
        return found

    def function(self, control: Control) -> tuple[str, str, bool]:
        """(definition, call, whether the work may end there) of a loop or branch that is a function of its own."""
        return Turns(self, control).printed()

    def is_apart(self, control: Control) -> bool:
        """Whether a loop inside another one is a function of its own."""
        return False

    def laned(self, control: Control) -> Laned | None:
        """The loop as one whose turns run abreast."""
        return None

    def kernel(self, group: list[Scheduled]) -> tuple[str, str]:
        """(definition, call) of nests that are a function of their own."""
        for item in group:
            call = item.nest.call
            most = self._most([call.batch, *call.sizes]) if isinstance(call, Gemm) else self.volume(item)
            if most is not None:
                self.volumes.add(most)
        return print_band(self.text, self.number(), group)

    def volume(self, item: Scheduled) -> Poly | None:
        """The most points that a nest visits."""
        return self._most([a.size for a in item.nest.axes])

    def _most(self, sizes: list[Poly]) -> Poly | None:
        """The product of the greatest values of sizes, which loop variables may be part of."""
        most = [self.sizes.upper(size) for size in sizes]
        return None if None in most else product(most)

    def number(self) -> int:
        self.count += 1
        return self.count - 1

    def is_inline(self, item: Scheduled) -> bool:
        if item.nest.call is not None:
            return False
        most = self.volume(item)
        return most is not None and most.constant is not None and most.constant <= _INLINE


class Turns:
    """An outermost loop or branch as a C function. What is small stands in it; what is not is called and finds its integers in `dims`."""

    def __init__(self, printer: Printer, control: Control) -> None:
        self.printer = printer
        self.sizes = printer.sizes
        self.text = printer.text
        self.control = control
        self.writer = Writer(printer.text)
        self.writer.leave = "done"
        self.definitions: list[str] = []
        self.called: set[Memory] = set()
        """Memories that functions called from here touch: they have to be where the plan says."""
        self.touched: list[set[tuple[Memory, Poly]]] = [set()]
        """The elements that the turn has read or written before; those of each side of the branches around apart."""
        self.chooses = False
        """Whether a side of a branch reads other elements of arrays. gcc would make masked loads of that, which up to 12.3 and 13.2 it
        permutes wrongly where it also makes one vector of several turns of a short inner loop (https://gcc.gnu.org/PR114375)."""
        self.counters: list[str] = []
        """What stands at the beginning of the function: variables that all its calls share."""
        self.calls: set[Control] = set()
        """Loops and branches from whose bodies functions are called."""
        self.set: set[int | None] = set()
        """Positions of the integers that these loops set."""
        self._look(control)
        self.locals = self._locals()

    def _look(self, control: Control) -> bool:
        """Whether something is called from inside; notes what is."""
        calls = False
        for block in control.blocks:
            for part in block.parts:
                if isinstance(part, Control):
                    if self.printer.is_apart(part):
                        calls = True
                        self.called |= part.memories() | self._interfaces(part)
                    else:
                        calls |= self._look(part)
                    continue
                for group in part:
                    if not all(map(self.printer.is_inline, group)):
                        calls = True
                        self.called |= {m for item in group for m in touched_memories(item.nest)}
        if calls:
            self.calls.add(control)
        return calls

    def _locals(self) -> set[Memory]:
        """Memories that are variables of the function: single elements, and small temporaries of a turn."""
        around = self.control.interface
        found = self.control.memories() | self._interfaces(self.control)
        return {
            m
            for m in found - self.called
            if m.size.constant is not None and m.size.constant <= (1 if m in around or m.kind != "temp" else _LOCAL)
        }

    def _interfaces(self, control: Control) -> set[Memory]:
        found = set(control.interface)
        for block in control.blocks:
            for part in block.parts:
                if isinstance(part, Control):
                    found |= self._interfaces(part)
        return found

    def printed(self) -> tuple[str, str, bool]:
        """(definition, call, whether the work may end there)."""
        name = f"{self.control.kind.name.strip('_')}{self.printer.number()}"
        body = self.lines(self.control)
        opening, closing = self._variables()
        sync = ["int64_t *dim = (int64_t *)dims;"] if self.calls else []
        ends = any("goto done;" in line for line in body)
        lines = [*self._sizes(), *opening, *sync, *body, *(["done:;"] if ends else []), *closing]
        return "\n".join([f"/* {name} */", *self.definitions, indented(self.with_pointers(name, [], lines))]), f"{name}(slots, dims);", ends

    def with_pointers(self, name: str, more: list[str], lines: list[str]) -> list[str]:
        """The function of some lines, as one that hands its memories to another: gcc believes `restrict` of parameters only, and
        without it every element that a turn leaves for the next goes through memory (30,000 steps of two recurrences: 243 -> 174 us)."""
        head = f"static void {name}(void **slots, const int64_t *dims{''.join([f', {p}' for p in more])}) {{"
        memories = [m for m in self.writer.used if m not in self.locals]
        if not memories:
            return [head, *self.counters, *lines, "}"]
        alone = self._alone(memories)
        pointers = [self._pointer(m, m in alone) for m in memories]
        given = [re.split(r"\W", p)[-1] for p in more] + [self.text.address(m) for m in memories]
        parameters = ", ".join(["void **slots", "const int64_t *dims", *more, *pointers])
        return [
            f"static __attribute__((noinline)){' LZ_NO_MASKS' if self.chooses else ''} void {name}_turns({parameters}) {{",
            *self.counters, *lines, "}", head, f"{name}_turns({', '.join(['slots', 'dims', *given])});", "}",
        ]  # fmt: skip

    def _pointer(self, memory: Memory, alone: bool) -> str:
        constant = "" if memory in self.writer.written else "const "
        return f"{constant}{prelude.ctype(memory.dtype)} *{'restrict ' if alone else ''}{self.text.name(memory)}"

    def _alone(self, memories: list[Memory]) -> set[Memory]:
        """Those that nothing else in the function reaches: functions called from here do not, and no other temporary has their place."""
        apart = [m for m in memories if m not in self.called]
        places = {m: self.text.extent(m) for m in memories if m.kind == "temp"}
        return {m for m in apart if m.kind != "temp" or not any(meet(places[m], p) for other, p in places.items() if other is not m)}

    def _sizes(self) -> list[str]:
        """The program's sizes and the integers of loops around; those that the function's own loops set are variables of these loops."""
        atoms = [a for a in sorted(self.writer.sizes) if self.sizes.place_of(a) not in self.set]
        return [f"const int64_t {a.name} = dims[{FIRST_DIM} + {a.name[1:]}];" for a in atoms]

    def _variables(self) -> tuple[list[str], list[str]]:
        """Local variables, and what is written back at the end."""
        opening, closing = [], []
        for memory in self.writer.used:
            written = memory in self.writer.written
            if memory not in self.locals:
                continue
            ctype, name, place = prelude.ctype(memory.dtype), self.text.name(memory), self.text.address(memory)
            own = self.local_type(memory)
            if memory in self.control.interface or memory.kind != "temp":
                opening.append(f"{own} {name}[1] = {{*(const {ctype} *){place}}};")
                if written:
                    closing.append(f"*({ctype} *){place} = {name}[0];")
            else:
                opening.append(f"{own} {name}[{memory.size.constant or 1}];")
        return opening, closing

    def local_type(self, memory: Memory) -> str:
        """The C type of a local variable. Truth values are as wide as the widest number beside them: then both are folded in vectors of as
        many lanes (the sum of the positive ones of 100,000 integers, and whether there was one: 40 -> 14 us)."""
        if memory.dtype != bool or memory.size.constant != 1:
            return prelude.ctype(memory.dtype)
        widest = max([m.dtype.itemsize for m in self.locals if m.size.constant == 1 and m.dtype.kind in "biuf"])
        return "uint8_t" if widest == 1 else f"int{8 * widest}_t"

    # -- the parts

    def lines(self, control: Control) -> list[str]:
        return _CONTROLS[control.kind](self, control)

    def block(self, block: Block) -> list[str]:
        lines: list[str] = []
        for part in block.parts:
            if isinstance(part, Control):
                lines += self.call(part) if self.printer.is_apart(part) else self.lines(part)
                continue
            for group in part:
                if all(map(self.printer.is_inline, group)):
                    for item in group:
                        lines += kernel_of(self.text, 0, item, self.writer, inline=True).block()
                        self.touched[-1] |= {(read.buffer.memory, read.address) for read in loads(item.nest.computed())}
                        self.touched[-1] |= {(store.buffer.memory, store.address) for store in item.nest.stores}
                else:
                    definition, call = self.printer.kernel(group)
                    self.definitions += [definition] if definition else []
                    lines.append(call.replace(LEAVE, "goto done;"))
        return lines

    def call(self, control: Control) -> list[str]:
        """A loop that is a function of its own."""
        definition, call, stops = self.printer.function(control)
        self.definitions.append(definition)
        return [call, *([f"if (*(int64_t *)slots[{ERRORS}]) goto done;"] if stops else [])]

    def range(self, control: Control) -> tuple[str, str]:
        """Where a loop begins and ends."""
        return self.limit(control.limits[0]), self.limit(control.limits[1])

    def loop(self, control: Control) -> list[str]:
        found = self.sweep(control)
        copies = [copied(self, control, arrival, found is None) for arrival in control.arrivals]
        before, during, after = [[line for parts in copies for line in parts[place]] for place in range(3)]
        lines = self.plain_loop(control, during=during) if found is None else swept(self, control, next(inner_loops(control)), found)
        return [*before, *lines, *after]

    def plain_loop(self, control: Control, begin: str = "", during: Sequence[str] = ()) -> list[str]:
        """The loop as it is written; begin: where it begins, if that is not its start; during: what a turn begins with."""
        start, stop = self.range(control)
        start = begin or start
        step = self.limit(control.limits[2])
        known = control.limits[2].constant if isinstance(control.limits[2], Poly) else None
        name = f"n{control.index}"
        end = self.writer.fresh("end")
        test = f"{name} < {end}" if known and known > 0 else f"{name} > {end}" if known else f"{step} > 0 ? {name} < {end} : {name} > {end}"
        look = [] if self.is_brief(control) else self.look(control)
        lanes = self.printer.laned(control) if control not in self.calls else None
        if lanes is not None and lanes.own <= self.locals:
            return printed_lanes(self, control, lanes, start, look)
        around, self.text.next_turn = self.text.next_turn, self.sizes(numbered_dim(control.index)) + known if known else None
        self.writer.gathered = {} if self.is_straight(control) else None
        head = self.turn(control)
        turn = [*during, *sunk(head, [*self.block(control.blocks[0]), *self.check(control)])]
        gathered, self.writer.gathered = self.writer.gathered or (), None
        closing = ["}", *[f"if ({place}) goto {self.writer.leave};" for place in gathered]]
        self.text.next_turn = around
        opening = ["{", f"const int64_t {end} = {stop};"]
        branches = self.is_innermost(control) and _decides(turn)
        if look and known and self.is_innermost(control) and not branches:
            return [*opening, *self.strips(name, start, end, known, turn), *closing]
        left, often = self.writer.fresh("left"), self.often(control)
        counted = [f"if (__builtin_expect(--{left} < 0, 0)) {{", f"{left} = {often};", *look, "}"] if look else []
        opening += [f"int {left} = {often};"] if look else []
        opening += ["#pragma GCC unroll 4"] if BRANCH in turn or (branches and all(isinstance(p, Poly) for p in control.limits)) else []
        return [*opening, f"for (int64_t {name} = {start}; {test}; {name} += {step}) {{", *counted, *turn, "}", *closing]

    def sweep(self, control: Control) -> Sweep | None:
        """The loop as a sweep over rows of which the loop in it goes through the columns."""
        inner = control.blocks[0].parts[0] if len(control.blocks[0].parts) == 1 else None
        if not isinstance(inner, Control) or inner.kind is not loop or self.printer.is_apart(inner) or control.integers or inner.integers:
            return None
        limits = [limit for limit in (*inner.limits, *control.limits) if isinstance(limit, Poly)]
        parts, places = inner.blocks[0].parts, {control.index, inner.index}
        if len(limits) != 6 or {limits[2].constant, limits[5].constant} != {1} or len(parts) != 1 or isinstance(parts[0], Control):
            return None
        items = [item for group in parts[0] for item in group]
        computed = any(not places.isdisjoint(self.places(node)) for node in self.sizes.inner.values())
        if len(items) != 1 or computed:
            return None
        return sweep_of(items[0].nest, control.index, inner.index, (limits[0], limits[1]), self.sizes)

    def strips(self, name: str, start: str, end: str, step: int, turn: list[str]) -> list[str]:
        """An innermost loop in pieces, between which it looks for signals: the pieces stay loops that can become vectors."""
        stop, before = self.writer.fresh("stop"), "<" if step > 0 else ">"
        rest = f"{end} - {name} {before} {_STRIP * step}"
        return [
            f"for (int64_t {name} = {start}; {name} {before} {end};) {{",
            f"const int64_t {stop} = {rest} ? {end} : {name} + {_STRIP * step};",
            f"for (; {name} {before} {stop}; {name} += {step}) {{", *turn, "}",
            f"if ({name} {before} {end} && {self.interrupted()}) goto done;", "}",
        ]  # fmt: skip

    def while_(self, control: Control) -> list[str]:
        assert isinstance(control.predicate, Memory)
        turns = self.writer.fresh("turn")
        bound = "" if control.limit is None else f"{turns} < {control.limit}"
        head = f"for (int64_t {turns} = 0; {bound}; {turns}++) {{"
        often = self.often(control)
        look = (
            []
            if self.is_brief(control)
            else [f"if (__builtin_expect(({turns} & {often - 1}) == {often - 1}, 0)) {{", *self.look(control), "}"]
        )
        turn = self.turn(control)
        return [head, *sunk(turn, [*self.test(control), *self.block(control.blocks[1]), *self.check(control), *look]), "}"]

    def test(self, control: Control) -> list[str]:
        """What leaves a loop when its condition is false. A condition of single numbers is not stored, and each part of it is a branch of
        its own, which processors guess (Mandelbrot's set by element: 144 -> 133 us)."""
        assert isinstance(control.predicate, Memory)
        block = control.blocks[0]
        items = list(block.items())
        alone = not any(isinstance(part, Control) for part in block.parts) and all(map(self.printer.is_inline, items))
        stores = [store for item in items for store in item.nest.stores if store.buffer.memory is control.predicate]
        if not alone or len(stores) != 1 or items[-1].nest.axes or stores != items[-1].nest.stores:
            return [*self.block(block), f"if (!{self.load(control.predicate)}) break;"]
        self.writer.decides = control.predicate
        lines = self.block(block)
        self.writer.decides = None
        return lines

    # -- signals

    def interrupted(self) -> str:
        self.text.interruptible = True
        return "lz_interrupted(slots)"

    def look(self, control: Control) -> list[str]:
        return [f"if ({self.interrupted()}) goto done;"]

    def often(self, control: Control) -> int:
        """Turns between two looks."""
        if self.is_innermost(control):
            return _STRIP
        return _LOOK if control not in self.calls and all(map(self.is_innermost, inner_loops(control))) else _LOOK_OFTEN

    def is_innermost(self, control: Control) -> bool:
        """Whether nothing in the loop takes long."""
        return control not in self.calls and not any(inner_loops(control))

    def is_straight(self, control: Control) -> bool:
        """Whether a turn is a few numbers without branches, of which compilers make vectors as long as nothing leaves the loop."""
        if not self.is_innermost(control) or any(isinstance(part, Control) for part in control.blocks[0].parts):
            return False
        return not any(n.op is checked for item in control.items() for n in scalars(item.nest.roots()))

    def is_brief(self, control: Control) -> bool:
        points = self.points(control)
        return points is not None and points <= _BRIEF

    def points(self, control: Control) -> int | None:
        """How many points all turns visit at most; None where that depends on data."""
        total = 1
        for block in control.blocks:
            for part in block.parts:
                inner = [self.points(part)] if isinstance(part, Control) else [self.count(item) for group in part for item in group]
                if None in inner:
                    return None
                total += sum(inner)  # type: ignore[arg-type]
        if control.kind is while_:
            return None if control.limit is None else total * control.limit
        return total * turns if (turns := self.turns(control)) is not None else None

    def turns(self, control: Control) -> int | None:
        """The most turns of a loop, if they are known."""
        if control.kind is not loop:
            return 1
        if not all(isinstance(p, Poly) for p in control.limits):
            return None
        start, stop, step = [p for p in control.limits if isinstance(p, Poly)]
        if not step.constant:
            return None
        most = self.sizes.upper((stop - start) * (1 if step.constant > 0 else -1))
        return None if most is None or most.constant is None else max(-(-most.constant // abs(step.constant)), 0)

    def count(self, item: Scheduled) -> int | None:
        most = self.printer.volume(item)
        return None if most is None else most.constant

    def cond(self, control: Control) -> list[str]:
        assert control.predicate is not None
        test = self.limit(control.predicate)
        yes, no = [self.side(block) for block in control.blocks]
        start = [*self.turn(control)]
        return ["{", *start, f"if ({test}) {{", *yes, "} else {", *no, "}", "}"]

    def side(self, block: Block) -> list[str]:
        reads = {(read.buffer.memory, read.address) for item in block.items() for read in loads(item.nest.computed())}
        self.chooses |= any(read[0].size.constant != 1 and not any(read in known for known in self.touched) for read in reads)
        self.touched.append(set())
        lines = self.block(block)
        self.touched.pop()
        return lines

    def callback(self, control: Control) -> list[str]:
        """Nothing is printed after an error. Single numbers are copied: variables whose address is taken would live in memory."""
        lines, places = [], []
        for memory, _ in control.values:
            place = self.writer.pointer(memory)
            if memory in self.locals:
                copy, ctype = self.writer.fresh("a"), prelude.ctype(memory.dtype)
                lines += [f"{ctype} {copy}[{memory.size.constant}];"]
                lines += [f"for (int k = 0; k < {memory.size.constant}; k++) {copy}[k] = {place}[k];"]
                place = copy
            places.append(f"(void *){place}")
        sizes = [self.writer.poly(n) for _, shape in control.values for n in shape]
        assert control.target is not None
        self.writer.written.add(control.target)
        types = [(len(shape), memory.dtype) for memory, shape in control.values]
        self.text.callbacks.append((control.kind, control.attributes, types))
        call = f"((int (*)(int64_t, void **, int64_t *))slots[{CALLS}])({len(self.text.callbacks) - 1}, values, sizes)"
        return [
            f"if (*(int64_t *)slots[{ERRORS}]) goto done;",
            "{", *lines, f"void *values[] = {{{', '.join([*places, '0'])}}};", f"int64_t sizes[] = {{{', '.join([*sizes, '0'])}}};",
            f"{self.writer.pointer(control.target)}[0] = 0;",
            f"const int64_t flags = lz_flags(); const int wrong = {call}; lz_clear_flags(); lz_raise_flags(flags);",  # NumPy clears them
            f"if (wrong) {{ *(int64_t *)slots[{ERRORS}] = {interrupts.INTERRUPTED}; goto done; }}", "}",
        ]  # fmt: skip

    def check(self, control: Control) -> list[str]:
        """A turn in which a function failed is the last one; what stands in the loop itself leaves it."""
        called = [item for item in control.items() if not self.printer.is_inline(item)]
        fails = any(n.op is checked for item in called for n in scalars(item.nest.roots()))
        return [f"if (*(int64_t *)slots[{ERRORS}]) goto done;"] if fails else []

    def turn(self, control: Control) -> list[str]:
        """The integers of a turn: what is carried, and what is computed from the loop's variables."""
        lines = [f"const int64_t n{position} = {self.load(memory)};" for position, memory in control.integers]
        self.writer.integers.update([f"n{position}" for position, _ in control.integers])
        own = [control.index] if control.index >= 0 else []
        own += [position for position, _ in control.integers]
        for position, node in self.sizes.inner.items():
            if max(self.places(node)) in own:
                lines.append(f"const int64_t n{position} = {self.formula(node)};")
                own.append(position)
        self.set.update(own)
        return lines + [f"dim[{FIRST_DIM + position}] = n{position};" for position in own if control in self.calls]

    def places(self, node: Node) -> set[int]:
        """The positions of the loop variables that a computed size depends on."""
        return {place for n in toposort([node]) if n.op is dim for place in self.sizes.loop_places(self.sizes(n))}

    def formula(self, node: Node) -> str:
        """A size that is no polynomial as C."""
        if node.op is const:
            return literal(node.value.array[()], node.dtype)
        if node.dtype == np.int64 and (node.op is dim or node not in self.sizes.inner.values()):
            return self.writer.poly(self.sizes(node))
        return expression(node.op, node, [a.dtype for a in node.args], [self.argument(a) for a in node.args])

    def argument(self, node: Node) -> str:
        """An argument of a formula: sizes have names by now."""
        return self.writer.poly(self.sizes(node)) if node.dtype == np.int64 and node.op is not const else self.formula(node)

    def limit(self, limit: Poly | Memory) -> str:
        return self.writer.poly(limit) if isinstance(limit, Poly) else self.load(limit)

    def load(self, memory: Memory) -> str:
        """The only element of a memory."""
        return f"{self.writer.pointer(memory)}[0]"


def _decides(turn: list[str]) -> bool:
    """Whether a turn is a few statements that branch: no compiler makes vectors of it, nor unrolls it by itself (histogram: 40.7 -> 38.7
    us; not where data say how many turns there are: a few more each time are guessed wrong, 330 -> 460 us for a sparse matrix)."""
    return len(turn) <= _FEW and any(line.startswith("if (") for line in turn)


def meet(extent: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    """Whether two places in the arena may have bytes in common; None: not known before the program runs."""
    return extent is None or other is None or (extent[0] < other[1] and other[0] < extent[1])


_CONTROLS = {loop: Turns.loop, while_: Turns.while_, cond: Turns.cond, printed: Turns.callback}
