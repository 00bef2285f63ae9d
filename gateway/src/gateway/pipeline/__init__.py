"""Process every public request: handlers for requests, responses and errors, in lists that state their order."""

from gateway.pipeline.options import PipelineOptions
from gateway.pipeline.pipeline import Pipeline

__all__ = ["Pipeline", "PipelineOptions"]
