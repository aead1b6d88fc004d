"""Programs that are not Twisted's, as elements of pools."""

from rserpool.programs.program import ProgramService

__all__ = ["ProgramService"]
