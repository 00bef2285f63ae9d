"""Build the paths that commands name from those of an endpoint."""

from dataclasses import dataclass

from mft_common.endpoints.names import check_path


@dataclass(frozen=True)
class Place:
    """The absolute path of an endpoint's folder at the server, without a slash at its end; "" is the root."""

    folder: str

    @classmethod
    def of(cls, folder: str, home: str) -> "Place":
        """Return the place of a target's folder, below the folder `home` of the login unless it is absolute."""
        if folder.startswith("/"):
            return cls(folder.rstrip("/"))
        return cls(f"{home}/{folder}".rstrip("/") if folder else home)

    def full(self, path: str) -> str:
        """Return the absolute path of `path`, "" for the folder itself."""
        return f"{self.folder}/{path}" if path else self.folder or "/"

    def checked(self, path: str) -> str:
        """Return the absolute path of `path`; BadName for one that leads elsewhere or names an unfinished file."""
        return self.full(check_path(path))
