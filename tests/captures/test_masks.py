import numpy as np
import pytest

import taichi_softras as sr

HEIGHT, WIDTH = 96, 128
GROUNDS = {"dark": (8, 6, 9), "bright": (250, 247, 252), "green": (30, 200, 40)}


def picture_of(mask, background):
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = GROUNDS[background]
    picture[mask] = (150, 120, 110)
    return picture


def disk(row, col, radius):
    rows, cols = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - row) ** 2 + (cols - col) ** 2 <= radius**2


@pytest.mark.parametrize("background", GROUNDS)
def test_finds_an_object_before_each_ground(background):
    wanted = disk(48, 60, 30)
    mask, known = sr.mask_object(picture_of(wanted, background), background)
    assert (mask != wanted).sum() <= 8  # where closing fills corners of pixels
    assert known.all()


def test_fills_holes_and_drops_specks():
    body = disk(48, 60, 30)
    holes = disk(48, 60, 6)
    speck = disk(10, 110, 3)
    mask, _ = sr.mask_object(picture_of((body & ~holes) | speck, "dark"))
    assert mask[holes].all()
    assert not mask[speck].any()


def test_goes_on_at_the_border():
    body = disk(0, 60, 40)
    mask, _ = sr.mask_object(picture_of(body, "dark"))
    assert (mask != body).sum() <= 8
    # A dark place in it that the picture's side cuts is a hole as well.
    bitten = body & ~disk(0, 60, 8)
    assert (sr.mask_object(picture_of(bitten, "dark"))[0] != body).sum() <= 8


def test_narrow_gaps_are_unknown():
    body = disk(48, 60, 30)
    gap = np.zeros_like(body)
    gap[:48, 59:62] = True  # wider than what is closed, narrower than what is certain
    mask, known = sr.mask_object(picture_of(body & ~gap, "dark"))
    inner = gap & disk(48, 60, 25) & (np.arange(HEIGHT) < 44)[:, None]
    assert not mask[inner].any()
    assert not known[inner].any()
    assert known[~disk(48, 60, 34)].all()


def test_nothing_is_found_where_nothing_differs():
    mask, known = sr.mask_object(picture_of(np.zeros((HEIGHT, WIDTH), bool), "dark"))
    assert not mask.any()
    assert known.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"background": "blue"}, "background must be one of"),
        ({"threshold": 0.0}, "threshold must be above 0"),
        ({"picture": np.zeros((4, 4), np.uint8)}, r"picture must be uint8 \(H, W, 3\)"),
    ],
)
def test_refuses(arguments, message):
    given = {"picture": np.zeros((4, 4, 3), np.uint8), **arguments}
    with pytest.raises(ValueError, match=message):
        sr.mask_object(given.pop("picture"), **given)
