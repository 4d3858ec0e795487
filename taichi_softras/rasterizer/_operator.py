"""The rasterizer as an operator: boxes, tile lists, image; and the surrogate's gradient."""

from collections.abc import Sequence
from dataclasses import dataclass

from taichi_softras.arrays.operator import Allocate, Array, Operator, has_grad
from taichi_softras.arrays.scan import LARGEST_INT32
from taichi_softras.backend import ti
from taichi_softras.rasterizer._inputs import (
    Drawn,
    Faces,
    Inputs,
    Pass,
    complete_inputs,
)
from taichi_softras.rasterizer._lists import (
    choose_tile_size,
    list_chunks,
    list_tile_faces,
    most_face_chunks,
)
from taichi_softras.rasterizer._plan import RasterizePlan
from taichi_softras.rasterizer.kernels import aggregation, coverage  # noqa: F401  # they register
from taichi_softras.rasterizer.kernels.background_gradient import (
    SOFTNESS_COLUMNS,
    background_kernels,
)
from taichi_softras.rasterizer.kernels.blocks import CPU_BLOCK
from taichi_softras.rasterizer.kernels.boxes import BOX_TYPE, box_kernel
from taichi_softras.rasterizer.kernels.chunk_sums import chunk_sum_kernel
from taichi_softras.rasterizer.kernels.corner_sums import (
    GAMMA_COLUMN,
    SIGMA_COLUMN,
    corner_columns,
    sum_kernels,
    sums_type,
)
from taichi_softras.rasterizer.kernels.draw import drawing_kernel
from taichi_softras.rasterizer.kernels.face_record import record_type
from taichi_softras.rasterizer.kernels.pixel_planes import num_planes, pixel_kernel, planes_type
from taichi_softras.rasterizer.kernels.surrogate import surrogate_kernels

CULL = {"none": 0, "back": 1, "front": -1}


@dataclass(frozen=True)
class RasterizeOperator(RasterizePlan, Operator):
    """Images of faces. See `RasterizePlan` for what it is made of, and `Inputs`.

    The output is (B, H, W, C + A + 1), or (B, H, W) for silhouettes, which ignore colours,
    attributes and the background.
    """

    def forward(
        self, inputs: Sequence[Array], allocate: Allocate
    ) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Draw.

        Raises:
            ValueError: If there are more pixels, or entries of tiles, than 32 bits can count.
        """
        x = complete_inputs(self.given, inputs)
        self._check_size()
        faces = self._find_faces(x, allocate)
        is_soft = self.settings.color != "hard"
        channels = self.channels + self.attribute_channels
        shape = (self.num_items, self.settings.height, self.settings.width)
        # Kernels look at these only as far as they have a softmax, or a nearest face.
        softmax_shape = shape if channels and is_soft else (1, 1, 1)
        winners_shape = shape if channels and not is_soft else (1, 1, 1)
        drawn = Drawn(
            image=allocate((*shape, channels + 1) if channels else shape, self.dtype, clear=False),
            nearest_depth=allocate(softmax_shape, self.dtype, clear=False),
            weight_sum=allocate(softmax_shape, self.dtype, clear=False),
            winners=allocate(winners_shape, ti.i32, clear=False),
        )
        starts, chunk_faces = self._draw_tiles(x, faces, drawn, allocate)
        return (drawn.image,), (starts, chunk_faces, *faces, *drawn[1:])

    def _check_size(self) -> None:
        """Refuse images that are too large: Taichi's indices have 32 bits."""
        channels = self.channels + self.attribute_channels
        # Those of the image, and of what `weigh_pixels` writes.
        numbers = max(channels + 1, *(num_planes(self._variant(p)) for p in self._passes()))
        size = (self.num_items, self.settings.height, self.settings.width)
        rows = self.num_items * (self.settings.height + CPU_BLOCK[0] * CPU_BLOCK[1])
        if numbers * rows * self.settings.width > LARGEST_INT32:
            raise ValueError(
                f"images must have at most about {LARGEST_INT32 // numbers} pixels in all, "
                f"got {' x '.join(map(str, size))}: draw fewer or smaller ones at once"
            )

    def _find_faces(self, x: Inputs, allocate: Allocate) -> Faces:
        """Find the pixels that each face can reach, and what is asked of it in each."""
        size = x.face_vertices.shape[:2]
        faces = Faces(
            boxes=allocate(size, BOX_TYPE, clear=False),
            records=allocate(size, record_type(self.dtype), clear=False),
            num_faces=allocate((self.num_items,), ti.i32),
        )
        box_kernel(self._variant(next(self._passes())).geometry)(
            face_vertices=x.face_vertices,
            colors=x.colors,
            color_columns=self.channels if self.texture == "vertex" else 0,
            varyings=x.varyings,
            varying_columns=x.varyings.shape[3] if self._has_varyings else 0,
            attributes=x.attributes,
            attribute_columns=self.attribute_channels,
            sigma=x.sigma,
            **self._numbers(),
            cull=CULL[self.settings.cull],
            cull_alpha=int(self.settings.cull_alpha),
            face_items=x.face_items,
            packed=int(self.packed),
            num_items=self.num_items,
            **faces._asdict(),
        )
        return faces

    def _draw_tiles(
        self, x: Inputs, faces: Faces, drawn: Drawn, allocate: Allocate
    ) -> tuple[Array, Array]:
        """Draw tile by tile: each pixel looks at the faces that touch its tile.

        Returns:
            Where each tile's list of faces starts; and room for the backward pass to list the
            chunks of faces, whose number the lists' bounds.
        """
        size = (self.settings.height, self.settings.width)
        tile_size = choose_tile_size(*size)
        starts, entries = self._list_tiles(faces, x.sigma, tile_size, allocate)
        whole_pixels = self._has_whole_pixels(drawn.image)
        for p in self._passes():
            drawing_kernel(self._variant(p), whole_pixels=whole_pixels)(
                records=faces.records,
                num_faces=faces.num_faces,
                background=x.background,
                lighting=x.lighting,
                sigma=x.sigma,
                gamma=x.gamma,
                eps=x.eps,
                tile_size=tile_size,
                starts=starts,
                entries=entries,
                first_channel=p.first_channel,
                **self._source(p, x),
                **self._numbers(),
                **drawn._asdict(),
            )
        num_faces = faces.boxes.shape[0] * faces.boxes.shape[1]
        room = most_face_chunks(num_faces, entries.shape[0], *size, tile_size)
        return starts, allocate((max(room, 1),), ti.i32, clear=False)

    def _list_tiles(
        self, faces: Faces, sigma: Array, tile_size: int, allocate: Allocate
    ) -> tuple[Array, Array]:
        """List the faces of each tile: see `list_tile_faces`."""
        settings = self.settings
        return list_tile_faces(
            boxes=faces.boxes,
            records=faces.records,
            sigma=sigma,
            cutoff=self._numbers()["cutoff"],
            num_items=self.num_items,
            height=settings.height,
            width=settings.width,
            tile_size=tile_size,
            dtype=self.dtype,
            border=self._border,
            allocate=allocate,
        )

    def backward(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        saved: Sequence[Array],
        allocate: Allocate,
    ) -> None:
        """Differentiate by the faces' side of the image, and by the background's."""
        x = complete_inputs(self.given, inputs)
        (image,) = outputs
        starts, chunk_faces, *rest = saved
        faces, drawn = Faces(*rest[:3]), Drawn(image, *rest[3:])
        by_faces = (x.face_vertices, x.colors, x.varyings, x.attributes, x.lighting)
        if any(has_grad(array) for array in (*by_faces, x.sigma, x.gamma)):
            if self._autodiff:
                self._differentiate_surrogate(x, faces, drawn, allocate)
            else:
                self._add_by_face(x, faces, (starts, chunk_faces), drawn, allocate)
        has_colors = self.channels + self.attribute_channels > 0
        if has_colors and any(has_grad(array) for array in (x.background, x.gamma, x.eps)):
            if self.autodiff:
                self._differentiate_background(x, drawn, allocate)
            else:
                self._add_by_background(x, drawn, allocate)

    def _differentiate_background(self, x: Inputs, drawn: Drawn, allocate: Allocate) -> None:
        """Let Taichi differentiate the background's part of the surrogate."""
        result = allocate((1,), self.dtype, grad=1.0)
        for p in self._passes():
            surrogate_kernels(self._variant(p)).background_surrogate.grad(
                background=x.background,
                gamma=x.gamma,
                eps=x.eps,
                near=self.settings.near,
                far=self.settings.far,
                first_channel=p.first_channel,
                **drawn._asdict(),
                grad_image=drawn.image.grad,
                result=result,
            )

    def _add_by_background(self, x: Inputs, drawn: Drawn, allocate: Allocate) -> None:
        """Add up the background's part, by the kernels made by hand."""
        for p in self._passes():
            kernels = background_kernels(self._variant(p).appearance)
            columns = SOFTNESS_COLUMNS + p.channels
            sums = allocate((*drawn.image.shape[:2], columns), self.dtype)
            common = {
                "gamma": x.gamma,
                "eps": x.eps,
                "near": self.settings.near,
                "far": self.settings.far,
                "first_channel": p.first_channel,
                "nearest_depth": drawn.nearest_depth,
                "weight_sum": drawn.weight_sum,
                "winners": drawn.winners,
                "grad_image": drawn.image.grad,
                "sums": sums,
            }
            kernels.sum_rows(background=x.background, image=drawn.image, **common)
            if has_grad(x.background):
                kernels.add_to_background(grad=x.background.grad, **common)
            if has_grad(x.eps):
                kernels.add_to_eps(sums, x.eps.grad)
            if has_grad(x.gamma):
                kernels.add_to_gamma(x.gamma, sums, x.gamma.grad)

    def _differentiate_surrogate(
        self, x: Inputs, faces: Faces, drawn: Drawn, allocate: Allocate
    ) -> None:
        """Let Taichi differentiate the surrogate of the image."""
        result = allocate((1,), self.dtype, grad=1.0)
        for p in self._passes():
            surrogate_kernels(self._variant(p)).surrogate.grad(
                face_vertices=x.face_vertices,
                lighting=x.lighting,
                sigma=x.sigma,
                gamma=x.gamma,
                num_faces=faces.num_faces,
                cull=CULL[self.settings.cull],
                boxes=faces.boxes,
                first_channel=p.first_channel,
                with_alpha=int(p.first_channel == 0),
                **self._source(p, x),
                **self._numbers(),
                **drawn._asdict(),
                grad_image=drawn.image.grad,
                result=result,
            )

    def _add_by_face(
        self, x: Inputs, faces: Faces, lists: tuple[Array, Array], drawn: Drawn, allocate: Allocate
    ) -> None:
        """Add gradients up face by face, by the kernels made by hand."""
        tile_starts, chunk_faces = lists
        starts = list_chunks(faces.boxes, chunk_faces, allocate)
        for p in self._passes():
            variant = self._variant(p)
            source = self._source(p, x)
            by_texel = variant.texture != "vertex" and has_grad(source["colors"])
            columns = corner_columns(variant)
            sums = allocate((chunk_faces.shape[0],), sums_type(self.dtype, columns), clear=False)
            chunk_sum_kernel(variant)(
                records=faces.records,
                sigma=x.sigma,
                gamma=x.gamma,
                boxes=faces.boxes,
                starts=starts,
                chunk_faces=chunk_faces,
                with_texels=int(by_texel),
                planes=self._weigh_pixels(p, faces, tile_starts, drawn, allocate),
                winners=drawn.winners,
                grad_texels=(
                    source["colors"].grad if by_texel else allocate((1, 1, 1, 1), self.dtype)
                ),
                sums=sums,
                **source,
                **self._numbers(),
            )
            add = sum_kernels(self.dtype, columns)
            if has_grad(x.face_vertices):
                add.add_to_vertices(starts, sums, x.face_vertices.grad)
            corners = source["colors"] if variant.texture == "vertex" else x.varyings
            if columns and has_grad(corners):
                first = p.first_source if variant.texture == "vertex" else 0
                add.add_to_corners(starts, sums, first, corners.grad)
            for array, column in ((x.sigma, SIGMA_COLUMN), (x.gamma, GAMMA_COLUMN)):
                if has_grad(array):
                    add.add_to_softness(starts, column, faces.boxes, sums, array.grad)

    def _weigh_pixels(
        self, p: Pass, faces: Faces, tile_starts: Array, drawn: Drawn, allocate: Allocate
    ) -> Array:
        """Work out what all faces need of a pixel."""
        variant = self._variant(p)
        num_items, height, width = drawn.image.shape[:3]
        lanes = variant.block[0] * variant.block[1]
        planes = allocate((num_items, height + lanes - 1, width), planes_type(variant), clear=False)
        pixel_kernel(variant, whole_pixels=self._has_whole_pixels(drawn.image))(
            num_faces=faces.num_faces,
            tile_size=choose_tile_size(height, width),
            starts=tile_starts,
            first_channel=p.first_channel,
            with_alpha=int(p.first_channel == 0),
            image=drawn.image,
            nearest_depth=drawn.nearest_depth,
            weight_sum=drawn.weight_sum,
            grad_image=drawn.image.grad,
            planes=planes,
        )
        return planes

    def _has_whole_pixels(self, image: Array) -> bool:
        """Tell whether kernels can take an image for an array of vectors, one a pixel.

        Taichi takes a tensor for that, but no ndarray of numbers.
        """
        passes = list(self._passes())
        return len(passes) == 1 and passes[0].channels > 0 and not isinstance(image, ti.Ndarray)
