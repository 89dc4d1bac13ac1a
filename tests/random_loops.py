"""Random programs of loops, branches, jumps, aliases, views and records, as source text."""

import random

ARRAYS = ("a", "b", "c")
HEADER = "def program(a, b, s):\n    c = a * 0.5\n    t = 1.0\n    n = 0\n    record = [0.0, 1.0]\n"
FOOTER = "    return a, b, c, s, t, n, record\n"


class Writer:
    """Writes one program. All arrays have 5 elements; loops end."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.count = 0

    def program(self):
        return HEADER + "".join(self.block(1, 0, ())) + FOOTER

    def block(self, indent, depth, loops, length=None):
        lines = []
        for _ in range(length or self.random.randint(2, 4)):
            lines += self.statement(indent, depth, loops)
        return lines

    def statement(self, indent, depth, loops):
        kinds = [self.element, self.element, self.whole, self.rebind, self.scalar, self.integer, self.record, self.view, self.alias]
        if depth < 3:
            kinds += [self.branch, self.branch, self.loop, self.loop, self.until]
        return self.random.choice(kinds)(indent, depth, loops)

    def line(self, indent, text):
        return ["    " * indent + text + "\n"]

    def array(self):
        return self.random.choice(ARRAYS)

    def index(self, loops):
        return self.random.choice(
            [f"{self.random.randint(-5, 4)}", *[f"{i} % 5" for i in loops], *[f"(n + {i}) % 5" for i in loops], "n % 5"]
        )

    def number(self, loops):
        choices = [
            "s",
            "t",
            "0.5",
            f"{self.array()}[{self.index(loops)}]",
            "record[0]",
            f"{self.array()}.sum()",
            f"max(s, {self.array()}[1])",
        ]
        return self.random.choice(choices)

    def test(self, loops):
        left, right = self.number(loops), self.number(loops)
        tests = [
            f"{left} > {right}",
            f"{left} < 0.7 and t != s",
            f"not {left} > 0.2",
            "n % 3 == 1",
            f"-1 < {left} <= 1.5",
            f"{left} > 1 or n > 4",
        ]
        return self.random.choice([*tests, *[f"{i} > 2" for i in loops]])

    def element(self, indent, depth, loops):
        sign = self.random.choice(["=", "+=", "-="])
        return self.line(indent, f"{self.array()}[{self.index(loops)}] {sign} 0.5 * {self.number(loops)}")

    def whole(self, indent, depth, loops):
        text = f"{self.array()} {self.random.choice(['+=', '-='])} 0.25 * {self.array()}"
        return self.line(indent, self.random.choice([text, f"{self.array()}[1:4] = {self.array()}[:3] * 0.5"]))

    def rebind(self, indent, depth, loops):
        text = f"{self.array()} = np.tanh({self.array()} - {self.number(loops)})"
        return self.line(indent, self.random.choice([text, text, "a, b = b, a", f"{self.array()} = {self.array()}.copy()"]))

    def alias(self, indent, depth, loops):
        if self.random.random() < 0.5:
            return self.scalar(indent, depth, loops)
        return self.line(indent, f"{self.array()} = {self.array()}")

    def view(self, indent, depth, loops):
        if self.random.random() < 0.5:
            return self.element(indent, depth, loops)
        self.count += 1
        name = f"v{self.count}"
        return [*self.line(indent, f"{name} = {self.array()}[1:3]"), *self.line(indent, f"{name}[0] = {self.number(loops)}")]

    def scalar(self, indent, depth, loops):
        name = self.random.choice("st")
        test = self.test(loops)
        texts = [
            f"{name} = 0.5 * {self.number(loops)} + 0.1",
            f"{name} = np.sin({self.number(loops)})",
            f"{name} = {name} if {test} else 0.3",
        ]
        return self.line(indent, self.random.choice(texts))

    def integer(self, indent, depth, loops):
        return self.line(indent, self.random.choice(["n += 1", "n = (3 * n + 1) % 7", "n += s > t"]))

    def record(self, indent, depth, loops):
        return self.line(indent, self.random.choice([f"record[0] = 0.5 * {self.number(loops)}", "record[1] += 1.0", "t = record[1] * 0.1"]))

    def branch(self, indent, depth, loops):
        lines = self.line(indent, f"if {self.test(loops)}:") + self.block(indent + 1, depth + 1, loops, self.random.randint(1, 2))
        if loops and self.random.random() < 0.3:
            lines += self.line(indent + 1, self.random.choice(["break", "continue"]))
        elif self.random.random() < 0.1:
            lines += self.line(indent + 1, "return a, s, n")
        if self.random.random() < 0.5:
            lines += self.line(indent, "else:") + self.block(indent + 1, depth + 1, loops, self.random.randint(1, 2))
        return lines

    def loop(self, indent, depth, loops):
        self.count += 1
        name = f"i{self.count}"
        over = self.random.choice(["range(6)", "range(7, 0, -1)", "range(3)", "range(n % 4, 9)", "range(1, 12, 2)"])
        lines = self.line(indent, f"for {name} in {over}:") + self.block(indent + 1, depth + 1, (*loops, name))
        return lines + self.line(indent, f"t = t * 0.5 + {self.random.choice(['1', 'n', 's'])}")

    def until(self, indent, depth, loops):
        self.count += 1
        name = f"k{self.count}"
        body = self.block(indent + 1, depth + 1, (*loops, name))
        condition = self.random.choice([f"{name} < 6", f"{name} < 9 and s < 3", f"{name} < 7 and {self.array()}[0] < 5"])
        return [*self.line(indent, f"{name} = 0"), *self.line(indent, f"while {condition}:"), *self.line(indent + 1, f"{name} += 1"), *body]
