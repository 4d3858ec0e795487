"""Names of other packages, and what is used here instead: what a mistaken name is answered by."""

_NOTHING = "nothing: Taichi starts itself, where the arrays are"
_COLORS = "an array of colours (B, V, C), which `render` takes"
_PEELED = "`render`, in which every face counts, behind others too"
_LIGHTING = "`Lighting`, with its `shading`, for `render`"

NAMES: dict[str, dict[str, str]] = {
    "PyTorch3D": {
        "AmbientLights": "`AmbientLight`, in a `Lighting`",
        "BlendParams": "`RasterizerSettings` for sigma and gamma, `background` of `render`",
        "DirectionalLights": "`DirectionalLight`, in a `Lighting`",
        "FoVOrthographicCameras": "`PosedCamera` of a pose and `Orthographic`",
        "FoVPerspectiveCameras": "`LookAtCamera`",
        "HardFlatShader": _LIGHTING,
        "HardGouraudShader": _LIGHTING,
        "HardPhongShader": _LIGHTING,
        "IO": "`read_mesh` and `write_mesh`",
        "Materials": "`Lighting`, with its `specular` and `shininess`",
        "MeshRasterizer": "`rasterize`",
        "MeshRenderer": "`render`",
        "Meshes": "`Mesh`, whose `to_torch` gives tensors, and `stack_meshes`",
        "OrthographicCameras": "`camera_from_pytorch3d`, with `orthographic=True`",
        "PerspectiveCameras": "`camera_from_pytorch3d`",
        "PointLights": "`PointLight`, in a `Lighting`",
        "RasterizationSettings": "`RasterizerSettings`",
        "SoftGouraudShader": _LIGHTING,
        "SoftPhongShader": _LIGHTING,
        "SoftSilhouetteShader": "`render_silhouette`",
        "SubdivideMeshes": "`subdivide`, or `mesh_subdivision` for gradients",
        "TexturesAtlas": "`SurfaceTexture`",
        "TexturesUV": "`UVTexture`",
        "TexturesVertex": _COLORS,
        "cameras_from_opencv_projection": "`PosedCamera` of `Extrinsics` and `Intrinsics`",
        "ico_sphere": "`icosphere`",
        "join_meshes_as_batch": "`stack_meshes`",
        "load_obj": "`read_mesh`",
        "load_objs_as_meshes": "`read_mesh`, with `textures=True`",
        "load_ply": "`read_mesh`",
        "look_at_rotation": "`LookAt`",
        "look_at_view_transform": "`orbit_eyes`, for `LookAtCamera`",
        "matrix_to_quaternion": "`quaternion_from_rotation`",
        "mesh_edge_loss": "`edge_length_loss`",
        "mesh_laplacian_smoothing": "`laplacian_loss`",
        "mesh_normal_consistency": "`normal_consistency_loss`",
        "quaternion_to_matrix": "`rotation_from_quaternion`",
        "rasterize_meshes": "`rasterize`",
        "sample_points_from_meshes": "`sample_surface`",
        "save_obj": "`write_mesh`",
        "save_ply": "`write_mesh`",
    },
    "nvdiffrast": {
        "DepthPeeler": _PEELED,
        "RasterizeCudaContext": _NOTHING,
        "RasterizeGLContext": _NOTHING,
        "antialias": "`render`, whose edges are soft by `sigma` of `RasterizerSettings`",
        "interpolate": "`render`, which takes `colors` and `attributes` of vertices",
        "texture": "`UVTexture`, which `render` takes in place of colours",
        "texture_construct_mip": "`UVTexture`, whose `mipmaps` are made by `render`",
    },
    "SoftRas": {
        "FlattenLoss": "`flattening_loss`",
        "LaplacianLoss": "`laplacian_loss`",
        "SoftRasterizer": "`rasterize`",
        "SoftRenderer": "`render`, `nn.SoftRenderer`",
        "load_obj": "`read_mesh`",
        "save_obj": "`write_mesh`",
        "soft_rasterize": "`rasterize`",
    },
}


def no_attribute(name: str) -> AttributeError:
    """Say that the package has no such name; and which it has, if that is another package's."""
    message = f"module 'taichi_softras' has no attribute {name!r}"
    packages = [package for package, names in NAMES.items() if name in names]
    if packages:
        used = NAMES[packages[0]][name]
        message += f", which is {' and '.join(packages)}'s: use {used}; see docs/migration.md"
        if "SoftRas" in packages:
            message += ", or taichi_softras.soft_renderer, which has all of SoftRas's names"
    return AttributeError(message)
