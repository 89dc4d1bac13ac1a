"""Random functions whose variables are now integers, now floats, now NumPy's scalars, as source text."""

import random

BINARY = ["+", "+", "-", "*"]


class Writer:
    """Writes one program of x, an array of any real dtype, and y, one of float64, of one length."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def program(self):
        lines = ["def program(x, y):"]
        for name in "stu":
            lines.append(f"    {name} = {self.pick(['0', '1', '-1', '0.5', '-2.0', '300', 'x[0]', 'y[1]', 'True'])}")
        for _ in range(self.random.randint(1, 3)):
            lines += self.statement(4, 0)
        return "\n".join([*lines, f"    return {self.pick(['s', 's, t, u', '(s, t), u * y', 's + t, u > 0', 's, t / 2, abs(u)'])}", ""])

    def pick(self, choices):
        return self.random.choice(choices)

    def statement(self, indent, depth):
        return self.pick([self.loop, self.branch, self.branch, self.store] if depth < 3 else [self.store])(indent, depth)

    def block(self, indent, depth):
        return [line for _ in range(self.random.randint(1, 2)) for line in self.statement(indent, depth)]

    def loop(self, indent, depth):
        pad = " " * indent
        header = self.pick(["for v in x:", "for v in y:", "for i in range(len(x)):", "for v, w in zip(x, y):"])
        value = {"for v in x:": "v", "for v in y:": "v", "for i in range(len(x)):": "x[i]", "for v, w in zip(x, y):": "w"}[header]
        names = self.pick("stu"), self.pick("stu")
        lines = [pad + header, f"{pad}    if {value} {self.pick('<>')} {self.pick(['0', '1', '0.3', *names])}:"]
        lines.append(f"{pad}        {names[0]} {self.pick(['=', '+=', '-='])} {self.pick([value, value, '1', '2.5', names[1]])}")
        if self.random.random() < 0.3:
            lines += [f"{pad}    else:", *self.block(indent + 8, depth + 2)]
        if self.random.random() < 0.2:
            lines.append(f"{pad}    if {value} > 2: {self.pick(['break', 'continue', 'return -1', f'return {value}'])}")
        if self.random.random() < 0.4:
            lines += self.block(indent + 4, depth + 2)
        return lines

    def branch(self, indent, depth):
        pad = " " * indent
        lines = [f"{pad}if {self.test()}:", *self.block(indent + 4, depth + 1)]
        if self.random.random() < 0.5:
            lines += [f"{pad}else:", *self.block(indent + 4, depth + 1)]
        return lines

    def store(self, indent, depth):
        return [f"{' ' * indent}{self.pick('stu')} {self.pick(['=', '=', '+=', '-=', '*='])} {self.number()}"]

    def number(self):
        operation = f"{self.leaf()} {self.pick(BINARY)} {self.leaf()}"
        choice = f"{self.leaf()} if {self.test()} else {self.leaf()}"
        return self.pick([self.leaf(), operation, choice, f"max({self.leaf()}, {self.leaf()})", f"-{self.leaf()}", f"abs({self.leaf()})"])

    def leaf(self):
        return self.pick(["s", "t", "u", "x[0]", "y[0]", "x[-1]", "0", "2", "1.5"])

    def test(self):
        return f"{self.leaf()} {self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.leaf()}"
