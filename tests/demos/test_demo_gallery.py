"""Pictures of what the renderer can show."""

import imageio.v3 as iio

from demos.paper.gallery.__main__ import main


def test_gallery_draws_every_picture(tmp_path):
    main(["--quick", "--output", str(tmp_path)])
    pictures = {path.stem: iio.imread(path) for path in tmp_path.glob("*.png")}
    assert {name: picture.shape for name, picture in pictures.items()} == {
        "looks": (32, 128, 3),
        "grid": (64, 64, 3),
        "room": (32, 64, 3),
    }
    # The room is all around; where walls are not clipped some are missing, over white.
    clipped, left_out = pictures["room"][:, :32], pictures["room"][:, 32:]
    assert clipped.mean() < left_out.mean() - 30
