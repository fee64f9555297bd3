"""Exercises: a check says what is right and never stops a notebook; each stub fails its own and each solution passes."""

import ast
import contextlib
import io
import math
import re
from collections import Counter

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from mrvae_lib import exercises
from mrvae_lib.config import parse_config
from mrvae_lib.exercises import check
from mrvae_lib.training import loop
from tests.conftest import ROOT


@pytest.mark.parametrize(("right", "expected"), [
    (2.0, 2.0), (2.00001, 2.0), (torch.tensor(2.0), 2.0), (np.float32(2), 2.0), (7, lambda value: value % 2 == 1)])
def test_an_answer_that_is_close_or_fulfils_a_predicate_is_called_right(right, expected, capsys):
    check(lambda: right, ((), expected), hint="")
    assert capsys.readouterr().out.startswith("Right")


@pytest.fixture(autouse=True)
def no_wrong_answer_yet(monkeypatch):
    monkeypatch.setattr(exercises, "WRONG_ANSWERS", Counter())


@pytest.mark.parametrize("wrong", [2.1, [2.0, 2.0], "two", math.nan])
def test_the_hint_waits_for_the_second_wrong_answer_to_the_same_exercise(wrong, capsys):
    for count in (lambda: wrong, lambda: wrong, lambda: wrong):
        count.__name__ = "count"
        check(count, ((), 2.0), hint="count again")
    check(lambda: wrong, ((), 2.0), hint="of another exercise")
    said = capsys.readouterr().out.splitlines()
    assert all(line.startswith("Not yet") for line in said)
    assert ["Hint: count again" in line for line in said] == [False, True, True, False]
    assert "of another exercise" not in said[3]


@pytest.mark.parametrize("nothing", [None, ...])
def test_where_nothing_was_tried_the_hint_is_kept_back_and_nothing_counts(nothing, capsys):
    for result in (nothing, nothing, nothing, 3.0):
        check(lambda result=result: result, ((), 2.0), hint="count again")
    *said, last = capsys.readouterr().out.splitlines()
    assert all("returns nothing so far" in line for line in said)
    assert last == "Not yet: <lambda>() gives 3."
    assert not any("count again" in line for line in (*said, last))


@pytest.mark.parametrize(("answer", "said"), [(lambda x: 4, "<lambda>(3) gives 4"),
                                              (lambda x: 4 / (3 - x), "<lambda>(3) raised ZeroDivisionError")])
def test_an_answer_that_is_wrong_or_fails_in_one_case_is_told_so_and_nothing_is_raised(answer, said, capsys):
    check(answer, ((2,), 4), ((3,), 6), hint="")
    assert said in capsys.readouterr().out


NEAR_MISSES = {
    "image_number": ["lambda shape, scale, orientation, pos_x, pos_y: (shape * 6 + scale) * 40960 + 32 * pos_x + pos_y",
                     "lambda *factors: int(sprites.index([factors])) + 1",
                     "lambda *factors: int(sprites.index([factors[::-1]]))"],
    "twins": ["lambda: ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0])", "lambda: ([0, 0, 0, 0, 0], [0, 0, 1, 0, 0])",
              "lambda: ([2, 5, 0, 0, 0], [2, 5, 10, 0, 0])"],
    "bits_needed": ["lambda n: n - 1", "lambda n: math.ceil(n / 2)", "lambda n: n.bit_length()"],
    "draw": ["lambda mu, logvar, noise: mu + logvar.exp() * noise", "lambda mu, logvar, noise: mu + logvar * noise",
             "lambda mu, logvar, noise: mu + (0.5 * logvar).exp()"],
    "kl_reals": ["lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar)",
                 "lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)",
                 "lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 + logvar).sum(dim=1)",
                 "lambda mu, logvar: 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()"],
    "kl_bits": ["lambda l: (l.sigmoid() * l.sigmoid().log() + (1 - l.sigmoid()) * (1 - l.sigmoid()).log() + math.log(2)).sum(1)",
                "lambda l: (l.sigmoid() * F.logsigmoid(l) + math.log(2)).sum(dim=1)",
                "lambda l: (l.sigmoid() * F.logsigmoid(l) + (-l).sigmoid() * F.logsigmoid(-l)).sum(dim=1) + math.log(2)"],
    "kl_of_two_normals": ["lambda m1, s1, m2, s2: 0.5 * (s1**2 + m1**2 - 1 - 2 * math.log(s1))",
                          "lambda m1, s1, m2, s2: 0.5 * ((s2 / s1)**2 + ((m2 - m1) / s1)**2 - 1 + 2 * math.log(s1 / s2))",
                          "lambda m1, s1, m2, s2: 0.5 * ((s1 / s2)**2 + ((m2 - m1) / s2)**2 - 1 + math.log(s2 / s1))"],
    "coin_gradient": ["lambda logit, f0, f1: f1 - f0", "lambda logit, f0, f1: (f1 - f0) / 4",
                      "lambda logit, f0, f1: (f1 - f0) / (1 + math.exp(-logit))"],
    "soft_bit": ["lambda logit, u, t: torch.sigmoid(logit + (u.log() - (1 - u).log()) / t)",
                 "lambda logit, u, t: torch.sigmoid((logit + u.log()) / t)", "lambda logit, u, t: (logit > u).float()",
                 "lambda logit, u, t: torch.sigmoid((logit - u.log() + (1 - u).log()) / t)"],
    "waste_of_a_perfect_code": ["lambda n, k: k * math.log(2)", "lambda n, k: math.log(n)", "lambda n, k: math.log(2**k / n) / 2",
                                "lambda n, k: 4 * math.log(2) - math.log(n)", "lambda n, k: 0.0"],
    "n_steps": ["lambda n_images, batch_size, epochs: 275",
                "lambda n_images, batch_size, epochs: n_images * epochs // batch_size",
                "lambda n_images, batch_size, epochs: -(-n_images // batch_size) * epochs"],
    "beta_eff": ["lambda beta, batch_size, n_images, n_pixels: beta * batch_size / n_images",
                 "lambda beta, batch_size, n_images, n_pixels: beta * n_pixels",
                 "lambda beta, batch_size, n_images, n_pixels: beta * n_images / batch_size * n_pixels"],
    "empty_latents": ["lambda carried: [i for i, v in enumerate(carried) if v <= 0.1]",
                      "lambda carried: [i for i, v in enumerate(carried) if v <= 0.09]",
                      "lambda carried: [v for v in carried if v < 0.1]"],
    "share_explained": ["lambda code, value: 1.0 - float(value.var() > 0)", "lambda code, value: float(torch.corrcoef(torch.stack([code.float(), value]))[0, 1])",
                        "lambda code, value: sum(float(value[code == c].var(correction=0)) for c in code.unique()) / float(value.var(correction=0))"],
    "beta_of": ["lambda norm, n_reals, image_shape: norm * n_reals / math.prod(image_shape)",
                "lambda norm, n_reals, image_shape: norm * image_shape[1] * image_shape[2] / n_reals",
                "lambda norm, n_reals, image_shape: norm * math.prod(image_shape)"],
    "interaction": ["lambda low_off, low_on, high_off, high_on: (high_on - low_off).abs().mean()",
                    "lambda low_off, low_on, high_off, high_on: (high_on - high_off - low_on + low_off).mean()",
                    "lambda low_off, low_on, high_off, high_on: (high_on - high_off).abs().mean()"],
    "dead_bit": ["lambda model, z, b: 0", "lambda model, z, b: 3", "lambda model, z, b: int(b.mean(0).argmax())"],
    "leaning_real": ["lambda model, z, b: 0", "lambda model, z, b: 5",
                     "lambda model, z, b: max(range(10), key=model.card['scores']['kl_of_real'].__getitem__)"],
    "gap": ["lambda told, entropy: sorted(told)[-1] - sorted(told)[-2]",
            "lambda told, entropy: (max(told) - min(told)) / entropy", "lambda told, entropy: (told[0] - told[1]) / entropy"],
    "most_told": ["lambda n_bits: n_bits * np.log(n_bits)", "lambda n_bits: n_bits", "lambda n_bits: np.log(n_bits)"],
    "mixed": ["lambda mu, q: mu.flip(1)", "lambda mu, q: mu @ q.T", "lambda mu, q: mu"],
    "code_accuracy": ["lambda codes, labels, test_codes, test_labels: 0.75",
                      "lambda c, l, tc, tl: sum(dict(zip(c, l)).get(a) == b for a, b in zip(tc, tl)) / len(tc)",
                      "lambda c, l, tc, tl: sum(max(set(tl), key=tl.count) == b for b in tl) / len(tl)"],
    "codes_kept": ["lambda before, after: sum(x == y for a, b in zip(before, after) for x, y in zip(a, b)) / sum(map(len, before))",
                   "lambda before, after: sum(a == b for a, b in zip(before, after))",
                   "lambda before, after: sum(a != b for a, b in zip(before, after)) / len(before)"],
    "share_right": ["lambda bit, part: float((bit == part).float().mean())", "lambda bit, part: float((bit * part).float().mean())",
                    "lambda bit, part: max(float(bit.float().mean()), float(part.float().mean()))"],
    "n_changed": ["lambda off, on: int((on - off > 8).sum())", "lambda off, on: int((on != off).sum())",
                  "lambda off, on: int((on.int() - off.int() > 8).sum())"],
    "held_out": ["lambda n: n // 5", "lambda n: round(n / 5) or 1", "lambda n: n / 5", "lambda n: -(-n // 5)"],
    "agreement": ["lambda codes, labels: max(map(labels.count, labels)) / len(labels)",
                  "lambda codes, labels: len(set(codes)) / len(codes)",
                  "lambda codes, labels: max(Counter(zip(codes, labels)).values()) / len(codes)",
                  "lambda codes, labels: sum(Counter(zip(codes, labels)).values()) / len(codes)",
                  "lambda codes, labels: sum(Counter(labels[i] for i, c in enumerate(codes) if c == code).most_common(1)"
                  "[0][1] / codes.count(code) for code in set(codes)) / len(set(codes))"],
    "three_parts": ["lambda q, joint, alone, p: ((q - joint).mean(), (joint - alone.sum(1)).mean(), (alone - p).mean())",
                    "lambda q, joint, alone, p: ((q - joint).sum(), (joint - alone.sum(1)).sum(), (alone - p).sum())",
                    "lambda q, joint, alone, p: ((q - joint).mean(), (alone.sum(1) - joint).mean(), (alone - p).sum(1).mean())",
                    "lambda q, joint, alone, p: ((q - p.sum(1)).mean(), (joint - alone.sum(1)).mean(), (alone - p).sum(1).mean())"],
    "separate": ["lambda a, b: min(a) > max(b)", "lambda a, b: mean(a) != mean(b)", "lambda a, b: min(a) >= max(b) or min(b) >= max(a)",
                 "lambda a, b: max(a) < max(b) or max(b) < max(a)"],
}
"""Wrong answers that a learner may well give, by exercise; each must fail its check."""


def printed(source, scope):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(source, scope)
    return out.getvalue()


WITH_EXERCISES = [path for path in sorted(ROOT.glob("notebooks/*.py")) if '"exercise"' in path.read_text()]


def names_in(tree):
    """The names that code reads, those that it gives a value, and those of tables that it writes to."""
    read, given, written = set(), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else given).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            given.add(node.name)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            written.add(ast.unparse(node.value))
        elif isinstance(node, ast.alias):
            given.add((node.asname or node.name).split(".")[0])
    return read, given, written


def cells_for_the_exercises(cells):
    """Of the code cells (tags, source), the exercises, each with its check and its solution, and what they rest on.

    The others, such as long trainings that no exercise looks at, are run with the notebook itself.
    """
    places = [place for place, (tags, _) in enumerate(cells) if "exercise" in tags]
    trees = [ast.parse(source) for _, source in cells]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    writes = {function.name: names_in(function)[2] for function in functions}
    kept, needed = {place + i for place in places for i in range(3)}, set()
    for place in reversed(range(places[-1] + 3)):
        read, given, written = names_in(trees[place])
        if place in kept or needed & given.union(written, *(writes.get(name, ()) for name in read)):
            kept.add(place)
            needed |= read
            for name in given & NEAR_MISSES.keys():
                needed |= names_in(ast.parse("\n".join(NEAR_MISSES[name])))[0]
    return [cells[place] for place in sorted(kept)]


@pytest.mark.parametrize("script", WITH_EXERCISES, ids=lambda path: path.stem)
def test_each_stub_and_near_miss_fails_its_check_and_each_solution_passes(script, monkeypatch):
    # For two epochs: no check may hang on how well the notebook's model is trained.
    monkeypatch.setattr(loop, "train", lambda config, train=loop.train, **rest: train(parse_config(config.model_dump(), ["train.epochs=2"]), **rest))
    cells = cells_for_the_exercises([(cell.metadata.get("tags", []), cell.source) for cell in jupytext.read(script).cells
                                     if cell.cell_type == "code"])
    scope = {"__name__": "notebook", "display": lambda *_: None, "math": math}
    for (tags, source), (_, check_cell), (_, solution) in zip(cells, cells[1:] + cells[:1], cells[2:] + cells[:2],
                                                              strict=True):
        if "exercise" in tags:
            name = re.search(r"def (\w+)", source)[1]
            exec(source, scope)
            assert "returns nothing so far" in printed(check_cell, scope)
            for wrong in NEAR_MISSES[name]:
                scope[name] = eval(wrong, scope)
                assert printed(check_cell, scope).startswith("Not yet"), wrong
            exec(solution, scope)
            assert printed(check_cell, scope).startswith("Right"), name
        elif "check" not in tags:
            exec(source, scope)
        plt.close("all")
