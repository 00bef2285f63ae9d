"""The messages between the child of an execution and its worker: their kinds, and what each holds and answers.

- MAY_GO_ON, before each file and each script; no content. The answer is False where the execution is to end after the
  file before: a pause, Disable, another active configuration (71, 73, 82).
- FILES, `{"after": position}`: the answer is up to PAGE files behind a position that are not over, as
  `ExecutionFile.to_json`.
- FOUND, `{"files", "all"}`: at most PAGE files of a Time task as JSON, and whether none follows; the answer is None,
  once that is stored. Until all are known the next attempt goes on to find them.
- CHANGED, a file as JSON, before a temporary name is used (`moving`), once its output is durable (`delivered`), before
  its source is moved to another folder, and at its end; `waiting` where the task's own fault ended its delivery. The
  answer is None, once that is stored.
- PROGRESS, `{"position", "bytes_done"}`; told, not asked.
- MAY_COMMIT, a file as JSON with the checkpoint that proves its commit; the answer is True while the worker owns the
  execution and no request to stop it was made.
- HELD, without content, asked again and again while bytes are written: the answer has no meaning, but a worker that
  has lost the execution kills the child instead.
- RAN, `{"runs", "done"}`, before each run of the script of a Time task: how often it has run, that run included, or one
  less where it could not run; with `done` once it has succeeded. The answer is None, once that is stored.
- LOG, a list of `{"text", "level", "file", "stream"}` for the log of the task; told, not asked.
- FIND_IDS, `{"uid"}`: the answer is a list of the contents in Base64 of the IDs of that id, those of the configuration
  before the shared ones, at most four: a copy that was changed must not hide the one that opens.
- FIND_UNPROVED, `{"path"}`, where the target of a file exists: the answer is the file of that path as JSON, as an
  earlier execution of the task has left it that did not record its commit, or None.
"""

from typing import Final

MAY_GO_ON: Final = "may_go_on"
FILES: Final = "files"
FOUND: Final = "found"
CHANGED: Final = "changed"
PROGRESS: Final = "progress"
MAY_COMMIT: Final = "may_commit"
HELD: Final = "held"
RAN: Final = "ran"
LOG: Final = "log"
FIND_IDS: Final = "find_ids"
FIND_UNPROVED: Final = "find_unproved"
PAGE: Final = 500
