"""What `digest.py` compares between devices is all there is: every public function and member."""

import ast
from pathlib import Path

import taichi_softras as sr
from taichi_softras.lights.kinds import SHADINGS
from taichi_softras.rasterizer.families import ALPHAS, COVERAGES

CASES = Path(__file__).parents[1] / "digest_cases"

ON_THE_HOST = {
    *("Captures", "Material", "TextureMaps", "plane", "torus", "teapot"),  # numbers
    *("mask_object", "read_captures", "read_mesh", "remesh", "write_mesh"),
    *("GeometricDecay", "Schedule", "StepDecay", "anneal"),
    *("Sheet", "show", "track"),
    *("MotionOptions", "estimate_cameras", "self_intersections", "untangle"),
    *("camera_to_opencv", "frame_mesh", "perspective", "quaternion_from_rotation"),
}
"""Public names that launch no kernel, or none but those that others launch."""

TYPES = {
    *("Camera", "Lens", "Mesh", "Pose"),
    *("Agreement", "ClippedFaces", "FragmentSummary", "MeshStack", "MeshTopology"),
    *("PixelFragments", "SparseMatrix", "Subdivision"),
}
"""Types of what functions take or return, which no case needs to make by name."""

ELSEWHERE = {"init": "digest.py", "surround_mesh": "photographed.py"}
"""Names that a file beside the cases uses."""

WHOLE = {"ReconstructionOptions", "reconstruct"}
"""What is made of parts that are compared one by one, over minutes."""


def names_in(path):
    """Which names of the package a file uses, as ``sr.name``."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "sr"
    }


def strings_in(path):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant)}


def test_every_public_name_is_used():
    used = set().union(*map(names_in, CASES.glob("*.py")))
    for name, file in ELSEWHERE.items():
        assert name in names_in(CASES.parent / file)
    left_out = ON_THE_HOST | TYPES | set(ELSEWHERE) | WHOLE
    public = set(sr.__all__)
    assert not left_out - public, "listed here, but public no more"
    assert not (left_out - TYPES) & used, "listed here, but compared after all"
    assert not public - used - left_out, "no case of digest.py uses these"


def test_every_member_of_a_family_and_every_shading_is_used():
    shipped = {
        name
        for family, function in ((COVERAGES, "signed_distance"), (ALPHAS, "add"))
        for name, member in family.items()
        if getattr(member, function).__module__.startswith("taichi_softras.")
    }
    assert len(shipped) > 3
    used = set().union(*map(strings_in, CASES.glob("*.py")))
    assert used >= shipped | set(SHADINGS)


def test_every_group_of_cases_is_run():
    groups = {
        node.name
        for path in CASES.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.endswith("_cases")
    }
    run = {
        node.id
        for node in ast.walk(ast.parse((CASES.parent / "digest.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id.endswith("_cases")
    }
    assert groups <= run
