"""Steps of tests that run jobs of diplomat-svc: files before, the end and the log afterwards."""

import io
import zipfile


def dock(hub, files, *transactions, **options):
    """Return a hub of the transactions, logged in, with `files` in the folder from which they move."""
    made = hub(*transactions, **options).log_in()
    for name, content in files.items():
        (made.data / "from" / name).write_bytes(content)
    return made


def finished(made, *pairs, name="one"):
    """Run a job of a transaction with the parameters `pairs` to its end, and return its history."""
    with made.work():
        made.run(name, *pairs)
        return made.finished(name)


def log(made):
    """Return the texts of the log of all jobs."""
    return [row.text for row in made.rows("SELECT text FROM job_log")]


def tree(folder):
    """Return the content of each file below a folder by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def archive_of(members):
    """Return a zip archive of the members' content by their names, not compressed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()
