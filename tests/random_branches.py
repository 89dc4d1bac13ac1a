"""Random loops over elements with branches of a few operations, as source text: those that become selections."""

import random

HEADER = "def program(a, b, k, m):\n    s = a[0]\n    t = b[1]\n    n = 0\n    p = 3\n    f = False\n    for i in range(1, len(a) - 1):\n"
FOOTER = "    return a, b, k, m, s, t, n, p, f\n"


class Writer:
    """Writes one program. a, b: floating-point numbers of one dtype; k: int64; m: bool; all of one length."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def program(self):
        return HEADER + "".join([self.statement(8, 0) for _ in range(self.random.randint(2, 5))]) + FOOTER

    def statement(self, indent, depth):
        kinds = [self.branch] * 3 + [self.store] if depth < 2 else [self.store]
        return self.random.choice(kinds)(indent, depth)

    def branch(self, indent, depth):
        pad = " " * indent
        text = f"{pad}if {self.test()}:\n" + self.block(indent + 4, depth + 1)
        if self.random.random() < 0.25:
            text += f"{pad}elif {self.test()}:\n" + self.block(indent + 4, depth + 1)
        return text + (f"{pad}else:\n" + self.block(indent + 4, depth + 1) if self.random.random() < 0.5 else "")

    def block(self, indent, depth):
        return "".join([self.statement(indent, depth) for _ in range(self.random.randint(1, 2))])

    def store(self, indent, depth):
        number, integer = self.number(), self.integer()
        return " " * indent + self.random.choice(
            [
                f"{self.pick('st')} = {number}\n",
                f"{self.pick('st')} {self.pick(['+=', '-=', '*='])} {number}\n",
                f"s, t = t, {number}\n",
                f"{self.pick('ab')}[{self.index()}] = {number}\n",
                f"{self.pick('ab')}[{self.index()}] += {number}\n",
                f"{self.pick('np')} = {integer}\n",
                f"{self.pick('np')} {self.pick(['+=', '-='])} {self.pick(['1', '2', 'k[i]'])}\n",
                f"k[{self.index()}] = {integer}\n",
                f"f = {self.test()}\n",
                f"m[{self.index()}] = {self.test()}\n",
            ]
        )

    def pick(self, choices):
        return self.random.choice(choices)

    def index(self):
        return self.pick(["i", "i", "i - 1", "i + 1", "0", "-1"])

    def number(self):
        return self.pick([self.leaf(), f"{self.leaf()} {self.pick('+-*')} {self.leaf()}", f"max({self.leaf()}, {self.leaf()})"])

    def leaf(self):
        return self.pick(["s", "t", f"a[{self.index()}]", f"b[{self.index()}]", "0.0", "1.0", "-0.5", "-s"])

    def integer(self):
        return self.pick(["0", "1", "n", "p", "k[i]", "k[i - 1]", "n + 1", "p - n", "n & 7", "p ^ k[i]", "min(n, k[i])"])

    def test(self):
        sign = self.pick(["<", "<=", ">", ">=", "==", "!="])
        numbers, integers = f"{self.leaf()} {sign} {self.leaf()}", f"{self.integer()} {sign} {self.integer()}"
        return self.pick([numbers, numbers, integers, f"m[{self.index()}]", "f", f"not {numbers}", f"{numbers} and {integers}", "i > 5"])
