"""Rewrites the syntax tree of a function: loops, branches and logical operators become calls of the runtime in `lazynp.trace.control`.

    for i in range(n):            def turn(item):
        if x[i] > limit:              nonlocal i, total
            break            ->       i = item
        total += x[i]                 def then(): return runtime.BREAK
                                      def orelse(): nonlocal total; total += x[i]
                                      return runtime.if_(x[i] > limit, then, orelse, ("total",))
                                  runtime.for_(range(n), turn, ("total",), ("i",), True)

The bodies become functions that share the variables of the user's function (its cells), so plain Python values take the same way as in the
source. A body returns None when control reaches its end, or a signal: BREAK, or a return with its value. What follows a branch with such
a jump in it moves into the branch, so that the jump is always the last thing a body does. Positions are those of the user's source.
"""

import ast
import copy
from typing import Any

import numpy as np

from lazynp.trace.appends import joined
from lazynp.trace.assignment import mark_reads
from lazynp.trace.pieces import (
    binds,
    binds_later,
    checked,
    constant,
    else_clause,
    falls_through,
    named,
    negated,
    only_raises,
    raise_first,
    runtime,
    runtime_call,
    test_inside,
    thunk,
    truth_kept,
    without_not,
)
from lazynp.trace.scopes import Liveness, assigned, contains, declared, ends_loops, jumps, only_appended

_REFUSED = frozenset({"super", "locals", "vars", "dir", "eval", "exec", "globals", "breakpoint"})
"""Builtins that look at the frame or at the class of the function they stand in."""


class Refused(Exception):
    """The function cannot be rewritten; the text says why."""


def rewritten(function: Any) -> Any:
    """The rewritten copy of a function definition or lambda, without decorators, defaults and annotations. Raises Refused."""
    _check(function)
    function = bare(copy.deepcopy(function))
    if isinstance(function, ast.Lambda):
        function.body = _Expressions().visit(function.body)
    else:
        function = joined(function)
        function.body = _Maker(function).function_body(function)
    return ast.fix_missing_locations(function)


def bare(function: Any) -> Any:
    """The definition without decorators, annotations and the expressions of its defaults, changed in place."""
    _strip(function.args)
    if isinstance(function, ast.FunctionDef):
        function.decorator_list, function.returns = [], None
    return function


def _check(function: Any) -> None:
    if isinstance(function, ast.AsyncFunctionDef) or contains(_body(function), (ast.Yield, ast.YieldFrom, ast.Await)):
        raise Refused("it is a generator or a coroutine")
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id in _REFUSED:
            raise Refused(f"it uses {node.id}()")


def _body(function: Any) -> list[Any]:
    return [function.body] if isinstance(function, ast.Lambda) else function.body


def _strip(arguments: ast.arguments) -> None:
    """Defaults are taken from the function object; the tree only has to say which arguments have one."""
    arguments.defaults = [ast.copy_location(ast.Constant(None), d) for d in arguments.defaults]
    arguments.kw_defaults = [d and ast.copy_location(ast.Constant(None), d) for d in arguments.kw_defaults]
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None


def _read_maybe(node: ast.Name) -> ast.expr:
    return runtime_call("read_maybe", [thunk(named(node.id, node))], node)


# --- expressions -------------------------------------------------------------------------------------------------------

_OPERATORS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


class _Expressions(ast.NodeTransformer):
    """Logical operators, conditional expressions, calls and reads by index become calls of the runtime. Nested functions are left: they
    are rewritten when they are called."""

    def visit_FunctionDef(self, node: Any) -> Any:
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_JoinedStr = visit_FunctionDef  # noqa: N815

    def test(self, node: ast.expr) -> ast.expr:
        """An expression of which only the truth matters."""
        if isinstance(node, ast.BoolOp) and not any(map(binds, node.values[1:])):
            return self._logical(node, True)
        return self.visit(node)  # type: ignore[no-any-return]

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        return self._plain(node) if any(map(binds, node.values[1:])) else self._logical(node, False)

    def _plain(self, node: Any) -> Any:
        return self.generic_visit(node)

    def _logical(self, node: ast.BoolOp, truth: bool) -> ast.expr:
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        visit = self.test if truth else self.visit
        first, *rest = node.values
        simple = constant(all(map(_is_simple, rest)), node)
        return runtime_call(name, [constant(truth, node), simple, visit(first), *[thunk(visit(v)) for v in rest]], node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.op, ast.Not):
            return runtime_call("not_", [self.test(node.operand)], node)
        node = self.generic_visit(node)  # type: ignore[assignment]
        node.operand = _operand(node.operand)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AugAssign:
        if isinstance(node.target, ast.Attribute):
            node.target.in_place = True  # type: ignore[attr-defined]
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        node = self.generic_visit(node)  # type: ignore[assignment]
        node.left, node.right = _operand(node.left), _operand(node.right)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        if len(node.ops) == 1 or binds(node):
            node = self.generic_visit(node)  # type: ignore[assignment]
            if not isinstance(node.ops[0], (ast.Is, ast.IsNot)):
                node.left, node.comparators = _operand(node.left), list(map(_operand, node.comparators))
            return node
        simple = constant(all(map(_is_simple, node.comparators)), node)
        rest = []
        for op, value in zip(node.ops, node.comparators, strict=True):
            rest += [constant(_OPERATORS[type(op)], node), thunk(_operand(self.visit(value)))]
        return runtime_call("chain", [simple, _operand(self.visit(node.left)), *rest], node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        if binds(node):
            return self.generic_visit(node)  # type: ignore[return-value]
        return runtime_call("choose", [self.test(node.test), thunk(self.visit(node.body)), thunk(self.visit(node.orelse))], node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if (made := self._fold(node)) is not None:
            return made
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            node.args = [self._text(a) if isinstance(a, ast.JoinedStr) else a for a in node.args]
        node = self.generic_visit(node)  # type: ignore[assignment]
        node.func = runtime_call("function", [node.func], node.func)
        node.args = list(map(_operand, node.args))
        for keyword in node.keywords:
            keyword.value = runtime_call("touched", [keyword.value], keyword.value) if keyword.arg == "out" else _operand(keyword.value)
        return node

    def _fold(self, node: ast.Call) -> ast.expr | None:
        """sum(value for x in values if test), and its like: a loop that keeps nothing but the sum. None for other calls."""
        if not isinstance(node.func, ast.Name) or node.func.id not in FOLDS or len(node.args) != 1 or node.keywords:
            return None
        made = node.args[0]
        if not isinstance(made, ast.GeneratorExp) or len(made.generators) != 1 or binds(made):
            return None
        part = made.generators[0]
        tests, part.ifs = part.ifs, []
        if not _is_plain_generator(part) or any(isinstance(n, (ast.Lambda, ast.Yield, ast.Await)) for n in ast.walk(made)):
            part.ifs = tests
            return None
        value = self._turn(part, self.visit(made.elt), made)
        test = ast.BoolOp(ast.And(), tests) if len(tests) > 1 else tests[0] if tests else None
        kept = self._turn(part, self.test(ast.copy_location(test, made)), made) if test is not None else constant(None, made)
        is_tuple = constant(isinstance(part.target, ast.Tuple), node)
        return runtime_call("folded", [node.func, self.visit(part.iter), value, kept, is_tuple], node)

    def _turn(self, part: ast.comprehension, value: ast.expr, at: ast.expr) -> ast.expr:
        """The value of a comprehension as a function of its variables."""
        names = part.target.elts if isinstance(part.target, ast.Tuple) else [part.target]
        taken = [ast.copy_location(ast.arg(n.id), n) for n in names]  # type: ignore[attr-defined]
        signature = ast.arguments(posonlyargs=[], args=taken, kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.copy_location(ast.Lambda(signature, value), at)

    def _text(self, node: ast.JoinedStr) -> ast.expr:
        """An f-string to be printed, in parts: its values may be known only then."""
        parts: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                conversion = constant("" if part.conversion < 0 else chr(part.conversion), part)
                spec = part.format_spec or constant("", part)
                parts.append(ast.copy_location(ast.Tuple([part.value, conversion, spec], ast.Load()), part))
            else:
                parts.append(ast.copy_location(ast.Tuple([part], ast.Load()), part))
        return ast.copy_location(ast.Call(runtime("text", node), parts, []), node)

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        if not all(map(_is_plain_generator, node.generators)) or binds(node) or any(isinstance(n, ast.Lambda) for n in ast.walk(node)):
            return self.generic_visit(node)  # type: ignore[return-value]
        value = self.visit(node.elt)
        for number, part in enumerate(reversed(node.generators)):
            turn = self._turn(part, value, node.elt)
            value = runtime_call("listed", [self.visit(part.iter), turn, constant(isinstance(part.target, ast.Tuple), node)], node)
            value = runtime_call("in_one_list", [value], node) if number else value
        return value

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _read_maybe(node) if hasattr(node, "maybe") and isinstance(node.ctx, ast.Load) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        node = self.generic_visit(node)  # type: ignore[assignment]
        node.value = runtime_call("indexed" if isinstance(node.ctx, ast.Load) else "target", [node.value], node.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        node = self.generic_visit(node)  # type: ignore[assignment]
        if not isinstance(node.ctx, ast.Load):
            in_place = constant(hasattr(node, "in_place"), node)
            node.value = runtime_call("owner", [node.value, constant(node.attr, node), in_place], node.value)
        elif node.attr in _OF_ARRAYS:
            node.value = _operand(node.value)
        return node


FOLDS = ("sum", "any", "all", "min", "max")
"""The functions whose generator expressions become loops (trace/generators.py)."""

_OF_ARRAYS = frozenset(name for name in dir(np.ndarray) if not name.startswith("_"))


def _operand(node: ast.expr) -> ast.expr:
    """What may be an array from outside, where NumPy itself would read it."""
    if isinstance(node, ast.Starred):
        node.value = _operand(node.value)
    return runtime_call("as_input", [node], node) if isinstance(node, (ast.Name, ast.Attribute, ast.IfExp, ast.NamedExpr)) else node


def _is_plain_generator(node: ast.comprehension) -> bool:
    """`for name in values`, or `for name, name in values`: of a comprehension that makes a value of every element."""
    names = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
    return not node.ifs and not node.is_async and all(isinstance(n, ast.Name) for n in names)


def _is_simple(node: ast.expr) -> bool:
    """Whether evaluating the expression can neither fail nor have an effect, so that it may be done without need."""
    return not any(isinstance(n, (ast.Call, ast.Subscript, ast.Await, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)) for n in ast.walk(node))


# --- statements --------------------------------------------------------------------------------------------------------


class _Return(ast.Return):
    """A return whose value is a signal already."""


class _Maker:
    """Rewrites the statements of one function."""

    def __init__(self, function: Any) -> None:
        self.expressions = _Expressions()
        self.count = 0
        self.globals = declared(function, ast.Global)
        self.outer = declared(function, ast.Nonlocal)
        self.locals: set[str] = set()

    def function_body(self, function: Any) -> list[Any]:
        self.maybe = mark_reads(function, self.outer | self.globals)
        body = self._settled(function.body, False)
        function.body = body
        self.live = Liveness(function, self.outer | self.globals)
        self.everything = assigned(body)
        docstring = body[:1] if ast.get_docstring(function, clean=False) is not None else []
        statements = self._block(body[len(docstring) :], nested=False, in_loop=False)
        names = sorted(self.locals - self.globals - self.outer)
        if names:  # makes them variables of the function: the bodies only declare them nonlocal
            targets: list[Any] = [named(n, function, store=True) for n in names]
            never = ast.If(constant(False, function), [ast.Assign(targets, constant(None, function))], [])
            statements.insert(0, ast.copy_location(never, function))
        scopes = [s for s in statements if isinstance(s, (ast.Global, ast.Nonlocal))]
        return [*docstring, *scopes, *[s for s in statements if s not in scopes]] or [ast.copy_location(ast.Pass(), function)]

    # --- jumps move to the ends of bodies

    def _settled(self, statements: list[Any], opaque: bool) -> list[Any]:
        """The statements with loop-else clauses written out, and what follows a branch that jumps moved into that branch."""
        out: list[Any] = []
        for position, node in enumerate(statements):
            rest = statements[position + 1 :]
            if isinstance(node, ast.Assert) and not opaque:
                node = checked(node)
            if isinstance(node, ast.If) and node.orelse and only_raises(node.orelse) and not only_raises(node.body):
                raise_first(node)
            if isinstance(node, (ast.For, ast.While)) and node.orelse and not opaque:
                broken = self._fresh("flag")
                flag, unless = else_clause(node, broken)
                return [*out, *self._settled([flag, node, unless, *rest], opaque)]
            if isinstance(node, ast.If) and not opaque:
                out += self._binding_test(node)
            if isinstance(node, ast.If) and jumps([node]):
                if opaque:
                    node.plain = True  # type: ignore[attr-defined]
                else:
                    return [*out, *self._branch_with_jump(node, rest)]
            if isinstance(node, ast.While) and not node.orelse and contains([node.test], (ast.NamedExpr,)):
                test_inside(node)
            if isinstance(node, (ast.For, ast.While)):
                self._settle_loop(node, opaque)
                if contains(node.body, (ast.Return,)) and not opaque:
                    node.rest = self._settled(rest, False) if rest else []  # type: ignore[attr-defined]
                    return [*out, node, *node.rest]
            elif isinstance(node, ast.If):
                node.body, node.orelse = self._settled(node.body, opaque), self._settled(node.orelse, opaque)
            elif isinstance(node, (ast.With, ast.Try, ast.Match)):
                self._settle_opaque(node)
            out.append(node)
            if isinstance(node, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
                break
        return out

    def _binding_test(self, node: ast.If) -> list[Any]:
        """`if a and (b := ...)`: the operands of a logical operator that may assign names become statements before the branch, which are
        returned: flag = a; if flag: flag = (b := ...)."""
        test, denied = without_not(node.test)
        if not binds_later(test):
            return []
        flag = self._fresh("flag")
        go_on = named(flag, node) if isinstance(test.op, ast.And) else negated(named(flag, node))
        made = [truth_kept(flag, test.values[0])]
        made += [ast.copy_location(ast.If(copy.copy(go_on), [truth_kept(flag, v)], []), v) for v in test.values[1:]]
        node.test = negated(named(flag, node)) if denied else named(flag, node)
        return self._settled(made, False)

    def _settle_loop(self, node: Any, opaque: bool) -> None:
        plain = opaque and contains(node.body, (ast.Return,))
        node.plain = plain or (opaque and bool(node.orelse))
        node.body = self._settled(node.body, node.plain)
        node.orelse = self._settled(node.orelse, True)

    def _settle_opaque(self, node: Any) -> None:
        """Blocks in which jumps stay Python's own."""
        blocks = [node, *getattr(node, "handlers", []), *getattr(node, "cases", [])]
        for block in blocks:
            for field in ("body", "orelse", "finalbody"):
                if getattr(block, field, None):
                    setattr(block, field, self._settled(getattr(block, field), True))

    def _branch_with_jump(self, node: ast.If, rest: list[Any]) -> list[Any]:
        before: list[Any] = []
        if rest:
            ends = [falls_through(node.body), falls_through(node.orelse)]
            if all(ends):
                name = self._fresh("rest")
                before = [self._rest(name, rest, node)]
                rest = [ast.copy_location(_Return(ast.copy_location(ast.Call(named(name, node), [], []), node)), node)]
            if ends[0]:
                node.body = [*node.body, *rest]
            if ends[1]:
                node.orelse = [*node.orelse, *copy.deepcopy(rest)] if ends[0] else [*node.orelse, *rest]
        node.body, node.orelse = self._settled(node.body, False), self._settled(node.orelse, False)
        return [*before, node]

    def _rest(self, name: str, rest: list[Any], at: ast.AST) -> Any:
        """What follows a branch as a function, where both ways through the branch lead there."""
        function = self._function(name, self._settled(rest, False), at)
        function.is_rest = True
        return function

    def _fresh(self, what: str) -> str:
        self.count += 1
        return f"_lazynp_{what}{self.count}"

    # --- making the calls

    def _block(self, statements: list[Any], nested: bool, in_loop: bool) -> list[Any]:
        out: list[Any] = []
        for node in statements:
            out += self._statement(node, nested, in_loop)
            if isinstance(node, (ast.For, ast.While)) and hasattr(node, "rest"):
                break
        return out

    def _statement(self, node: Any, nested: bool, in_loop: bool) -> list[Any]:
        """nested: inside a body, where a return is a signal; in_loop: inside a loop that stays Python's, to which jumps belong."""
        if isinstance(node, _Return):
            return [self._returned(node.value, node, nested)]
        if isinstance(node, ast.Return):
            value = self.expressions.visit(node.value) if node.value is not None else constant(None, node)
            signal = runtime_call("returned", [value], node) if nested else value
            return [ast.copy_location(ast.Return(signal), node)]
        if isinstance(node, (ast.Break, ast.Continue)):
            if in_loop:
                return [node]
            code = runtime("BREAK", node) if isinstance(node, ast.Break) else constant(None, node)
            return [ast.copy_location(ast.Return(code), node)]
        if getattr(node, "is_rest", False):
            live = Liveness(node, self.live.always | self.everything)
            self.live.after |= live.after
            self.live.head |= live.head
            return [self._closed(node, self._block(node.body, True, False))]
        if isinstance(node, (ast.If, ast.For, ast.While)):
            if getattr(node, "plain", False):
                return [self._python(node, nested, in_loop)]
            make = self._if if isinstance(node, ast.If) else self._for if isinstance(node, ast.For) else self._while
            return make(node, nested, in_loop)
        if isinstance(node, (ast.With, ast.Try, ast.Match)):
            return [self._python(node, nested, in_loop)]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.value is None:
                return []
            node = ast.copy_location(ast.Assign([node.target], node.value), node)
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            held = [ast.copy_location(ast.Assign([named(name, node, store=True)], _read_maybe(node.target)), node)]
            return [
                *(held if hasattr(node.target, "maybe") else []),
                ast.copy_location(ast.Expr(runtime_call("touched", [named(node.target.id, node)], node)), node),
                self.expressions.visit(node),
            ]
        return [self.expressions.visit(node)]

    def _python(self, node: Any, nested: bool, in_loop: bool) -> Any:
        """A statement that stays as it is, around rewritten blocks."""
        loop = in_loop or isinstance(node, (ast.For, ast.While))
        for field, value in ast.iter_fields(node):
            if field in ("body", "orelse", "finalbody"):
                setattr(node, field, self._block(value, nested, in_loop if field == "orelse" and loop else loop))
            elif field in ("handlers", "cases"):
                for block in value:
                    block.body = self._block(block.body, nested, in_loop)
            elif isinstance(value, ast.expr):
                setattr(node, field, self.expressions.visit(value))
            elif field == "items":
                for item in value:
                    item.context_expr = self.expressions.visit(item.context_expr)
        if isinstance(node, ast.Try) and node.handlers:
            guard = ast.withitem(runtime_call("tried", [], node), None)
            node.body = [ast.copy_location(ast.With([guard], node.body), node)]
        return node

    def _returned(self, signal: ast.expr, at: ast.AST, nested: bool) -> Any:
        return ast.copy_location(ast.Return(signal if nested else runtime_call("result", [signal], at)), at)

    def _if(self, node: ast.If, nested: bool, in_loop: bool) -> list[Any]:
        leaves = jumps([node]) or contains([node], (_Return,))
        then, orelse = self._fresh("then"), self._fresh("else")
        functions = [self._body(then, node.body, node)]
        if node.orelse:
            functions.append(self._body(orelse, node.orelse, node))
        state = (assigned(node.body) | assigned(node.orelse)) & self.live.after[id(node)]
        branches = [named(then, node), named(orelse, node) if node.orelse else constant(None, node)]
        kind = "if_raises" if only_raises(node.body) else "if_"
        call = runtime_call(kind, [self.expressions.test(node.test), *branches, self._state(state, node)], node)
        return [*functions, self._returned(call, node, nested) if leaves else ast.copy_location(ast.Expr(call), node)]

    def _for(self, node: ast.For, nested: bool, in_loop: bool) -> list[Any]:
        name, item = self._fresh("turn"), self._fresh("item")
        lists = sorted(only_appended(node.body) - self.live.always - self.globals)
        target = ast.copy_location(ast.Assign([node.target], named(item, node.target)), node.target)
        function = self._body(name, [target, *node.body], node, item)
        bound = assigned([node.target])
        again = assigned(node.body)
        state = (bound | again) & self.live.head[id(node)]
        after = self.live.after[id(node)]
        targets = sorted((bound & after) - again) if isinstance(node.target, ast.Name) else []
        state -= set(targets)
        leaves = ends_loops(node.body)
        arguments = [self.expressions.visit(node.iter), named(name, node), self._state(state, node), self._state(set(targets), node)]
        call = runtime_call("for_", [*arguments, constant(leaves, node), constant(lists, node)], node)
        return [function, *self._after_loop(node, call, nested)]

    def _while(self, node: ast.While, nested: bool, in_loop: bool) -> list[Any]:
        name, test = self._fresh("turn"), self._fresh("test")
        condition = self.expressions.test(node.test)
        names = assigned([node.test])
        check = self._closed(self._function(test, [node.test], node), [ast.copy_location(ast.Return(condition), node.test)], names)
        function = self._body(name, node.body, node)
        state = (assigned(node.body) | names) & self.live.head[id(node)]
        leaves = ends_loops(node.body)
        call = runtime_call("while_", [named(test, node), named(name, node), self._state(state, node), constant(leaves, node)], node)
        return [check, function, *self._after_loop(node, call, nested)]

    def _after_loop(self, node: Any, call: ast.expr, nested: bool) -> list[Any]:
        if not hasattr(node, "rest"):
            return [ast.copy_location(ast.Expr(call), node)]
        if not node.rest:
            return [self._returned(call, node, nested)]
        name = self._fresh("rest")
        state = assigned(node.rest) if nested else set()
        rest = self._body(name, node.rest, node.rest[0])
        return [rest, self._returned(runtime_call("after", [call, named(name, node), self._state(state, node)], node), node, nested)]

    def _state(self, names: set[str], at: ast.AST) -> ast.expr:
        texts = [constant(name, at) for name in sorted(names - self.globals)]
        listed = [runtime_call("MaybeUnbound", [text], at) if text.value in self.maybe else text for text in texts]  # type: ignore[attr-defined]
        return ast.copy_location(ast.Tuple(listed, ast.Load()), at)

    def _body(self, name: str, statements: list[Any], at: ast.AST, *arguments: str) -> Any:
        function = self._function(name, statements, at, *arguments)
        return self._closed(function, self._block(statements, nested=True, in_loop=False))

    def _function(self, name: str, statements: list[Any], at: ast.AST, *arguments: str) -> Any:
        taken = [ast.copy_location(ast.arg(a), at) for a in arguments]
        signature = ast.arguments(posonlyargs=[], args=taken, kwonlyargs=[], kw_defaults=[], defaults=[])
        return ast.copy_location(ast.FunctionDef(name, signature, statements, []), at)

    def _closed(self, function: Any, statements: list[Any], names: set[str] | None = None) -> Any:
        """The function with the given statements, whose names are those of the user's function."""
        names = assigned(function.body) if names is None else names
        names = {n for n in names if not n.startswith("_lazynp_") or n.startswith("_lazynp_flag")}
        self.locals |= names
        scopes: list[Any] = []
        if names & self.globals:
            scopes.append(ast.copy_location(ast.Global(sorted(names & self.globals)), function))
        if names - self.globals:
            scopes.append(ast.copy_location(ast.Nonlocal(sorted(names - self.globals)), function))
        function.body = [*scopes, *statements] or [ast.copy_location(ast.Pass(), function)]
        return function
