"""From faces in the image plane to images, softly: settings, families, drawing."""

from taichi_softras.rasterizer.families import Alpha as Alpha
from taichi_softras.rasterizer.families import Coverage as Coverage
from taichi_softras.rasterizer.families import register as register
from taichi_softras.rasterizer.filling import fill_texels as fill_texels
from taichi_softras.rasterizer.inspection import FragmentSummary as FragmentSummary
from taichi_softras.rasterizer.inspection import PixelFragments as PixelFragments
from taichi_softras.rasterizer.inspection import face_coverage as face_coverage
from taichi_softras.rasterizer.inspection import list_fragments as list_fragments
from taichi_softras.rasterizer.inspection import summarize_fragments as summarize_fragments
from taichi_softras.rasterizer.rasterization import rasterize as rasterize
from taichi_softras.rasterizer.rasterization import rasterize_silhouette as rasterize_silhouette
from taichi_softras.rasterizer.settings import RasterizerSettings as RasterizerSettings
