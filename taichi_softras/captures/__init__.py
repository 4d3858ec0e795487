"""Photographs whose cameras are known: read from folders, masked, and made ready to be drawn."""

from taichi_softras.captures.captures import Captures as Captures
from taichi_softras.captures.masks import Background as Background
from taichi_softras.captures.masks import mask_object as mask_object
from taichi_softras.captures.motion import MotionOptions as MotionOptions
from taichi_softras.captures.motion import estimate_cameras as estimate_cameras
from taichi_softras.captures.motion import photographs_in as photographs_in
from taichi_softras.captures.reading import read_captures as read_captures
