"""What a command can do without is said in a line, and it goes on."""

from taichi_softras.cli import main


def test_missing_textures_are_said_and_the_picture_is_drawn(tmp_path, capsys):
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 1 0 0\nmap_Kd gone.png\n")
    obj = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nusemtl m\nf 1/1 2/1 3/1\n"
    (tmp_path / "a.obj").write_text(obj)
    picture = tmp_path / "a.png"
    arguments = ["render", str(tmp_path / "a.obj"), "-o", str(picture), "--height", "8"]
    for _ in range(2):  # each time, not only the first
        assert main([*arguments, "--width", "8"]) == 0
        said = capsys.readouterr().err
        path = str(tmp_path / "a.obj")
        assert said == f"softras: {path!r}: there is no texture 'gone.png': drawn without\n"
    assert picture.exists()
