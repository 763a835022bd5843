"""Files of jobs: storage, names and deletion."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.utils import timezone

from monitio import api, scope
from monitio.integrations.files import attach, attach_result
from monitio.integrations.run import TaskRun, activate, deactivate
from monitio.jobs.files import clean_name, store_file
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter
from monitio.models import JobFile, Message
from monitio.serializers import payload
from tests.support import scopes
from tests.support.jobs import reporter, rolled_back
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    """The folder of the files' storage."""
    backend = "django.core.files.storage.FileSystemStorage"
    options = {"location": str(tmp_path)}
    settings.STORAGES = {**settings.STORAGES, "monitio": {"BACKEND": backend, "OPTIONS": options}}
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[JobReporter]:
    """A running task of ann."""
    mine = reporter(user())
    mine.started()
    run = TaskRun(mine.task_id, carried=None, reporter=mine)
    activate(run)
    yield mine
    deactivate(mine.task_id)


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def shown() -> list[tuple[str, int, bool]]:
    """The files in ann's message: name, size, whether it can be downloaded."""
    job = payload(Message.objects.select_related("job").get())["job"]
    return [(file["name"], file["size"], file["gone"]) for file in job.get("files", ())]


class TestAttach:
    def test_shows_the_file_in_the_message(self, running: JobReporter, folder: Path) -> None:
        version = Message.objects.get().version
        file = attach(b"abc", "report.pdf")
        assert file is not None and file.content_type == "application/pdf"
        assert stored(folder) == ["report.pdf"]
        assert shown() == [("report.pdf", 3, False)]
        assert Message.objects.get().version > version

    def test_takes_paths_and_open_files(self, running: JobReporter, tmp_path: Path) -> None:
        path = tmp_path / "rows.csv"
        path.write_bytes(b"1")
        attach(path)
        attach(str(path), "named.csv")
        attach(ContentFile(b"22", name="two.txt"))
        attach(io.BytesIO(b"333"), "three.bin", content_type="application/x-three")
        assert [name for name, _, _ in shown()] == [
            "rows.csv", "named.csv", "two.txt", "three.bin",
        ]  # fmt: skip

    def test_needs_a_name(self, running: JobReporter) -> None:
        with pytest.raises(ValueError, match="needs a name"):
            attach(b"abc")

    def test_replaces_a_file_of_the_same_name(self, running: JobReporter, folder: Path) -> None:
        attach(b"abc", "report.pdf")
        attach(b"abcd", "report.pdf")
        assert shown() == [("report.pdf", 4, False)]
        assert [path.stat().st_size for path in folder.rglob("*.pdf")] == [4]

    def test_stays_through_the_end_of_the_job(self, running: JobReporter) -> None:
        attach(b"abc", "report.pdf")
        running.succeeded()
        assert shown() == [("report.pdf", 3, False)]

    def test_is_rolled_back_with_the_tasks_transaction(
        self, running: JobReporter, folder: Path
    ) -> None:
        attach(b"old", "report.pdf")
        with rolled_back():
            attach(b"newer", "report.pdf")
        assert shown() == [("report.pdf", 3, False)]
        assert 3 in [path.stat().st_size for path in folder.rglob("*.pdf")]

    def test_does_nothing_outside_of_tasks(self, folder: Path) -> None:
        assert attach(b"abc", "report.pdf") is None
        assert stored(folder) == []

    def test_does_nothing_in_a_task_that_notifies_no_one(self, folder: Path) -> None:
        run = TaskRun("1", carried=None, reporter=reporter())
        activate(run)
        assert attach(b"abc", "report.pdf") is None
        deactivate("1")
        assert stored(folder) == []

    def test_refuses_to_use_the_public_storage(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r'add STORAGES\["monitio"\]'):
            attach(b"abc", "report.pdf")

    def test_leaves_no_file_when_its_row_cannot_be_saved(
        self, running: JobReporter, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(JobFile, "save", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            attach(b"abc", "report.pdf")
        assert stored(folder) == []
        assert shown() == []


class TestOption:
    def succeed(self, running: JobReporter, result: Any, **options: Any) -> None:
        run = TaskRun(running.task_id, carried=None, reporter=running)
        attach_result(run, NotifyOptions(**options), result)

    def test_attaches_what_the_function_returns(self, running: JobReporter) -> None:
        self.succeed(running, 3, file=lambda outcome: (b"x" * outcome.result, "three.txt"))
        assert shown() == [("three.txt", 3, False)]

    def test_attaches_several(self, running: JobReporter) -> None:
        self.succeed(running, None, file=lambda outcome: [(b"1", "a"), (b"2", "b")])
        assert [name for name, _, _ in shown()] == ["a", "b"]

    def test_an_error_is_logged(
        self, running: JobReporter, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.succeed(running, None, file=lambda outcome: 1 / 0)
        assert "its message has no file" in caplog.text

    def test_has_to_be_a_function(self) -> None:
        with pytest.raises(TypeError, match="file= must be a function"):
            NotifyOptions(file="report.pdf")


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "file"),
        ("", "file"),
        ("a/.profile", "profile"),
        ("\u2066.\u2069.", "file"),
        ("annual\u202egnp.exe", "annual\ufffdgnp.exe"),
        ("a\u2066b\r\nSet-Cookie: x.pdf", "a b Set-Cookie: x.pdf"),
        ("nul\0.pdf", "nul\ufffd.pdf"),
        ("ł" * 300 + ".pdf", "ł" * 196 + ".pdf"),
    ],
)
def test_names_are_cleaned(name: str, clean: str) -> None:
    assert clean_name(name) == clean


@pytest.mark.parametrize("name", ["年次 報告", "(報告)", "報告!", "日本.語", "日..本"])
def test_names_without_ascii_letters_can_be_stored(
    running: JobReporter, folder: Path, name: str
) -> None:
    attach(b"abc", name)
    assert shown() == [(clean_name(name), 3, False)]
    assert len(stored(folder)) == 1


def test_a_content_type_adds_no_header(running: JobReporter) -> None:
    file = attach(b"abc", "a.bin", content_type="text/x\r\nSet-Cookie: a=b" + "x" * 300)
    assert file is not None and file.content_type.startswith("text/x Set-Cookie: a=bx")
    assert len(file.content_type) == 255


def test_names_stay_in_their_folder(running: JobReporter, folder: Path) -> None:
    attach(b"abc", "../../../\u202egnp.exe")
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    assert path.is_relative_to(folder / "monitio" / "scope-")


class TestPrune:
    def test_deletes_expired_files(self, running: JobReporter, folder: Path) -> None:
        attach(b"abc", "report.pdf")
        soon = timezone.now() + timedelta(days=13)
        assert api.prune(soon)["files"] == 0
        assert api.prune(soon + timedelta(days=2))["files"] == 1
        assert stored(folder) == []
        assert not JobFile.objects.exists()

    def test_the_message_then_shows_that_it_was_deleted(
        self, running: JobReporter, settings: Any
    ) -> None:
        settings.MONITIO_FILES_KEEP = 1e-6
        attach(b"abc", "report.pdf")
        api.prune()
        assert shown() == [("report.pdf", 3, True)]

    def test_deletes_what_a_killed_process_left(self, running: JobReporter, folder: Path) -> None:
        """And the files of deleted jobs; no other files, and none of today."""
        attach(b"abc", "kept.pdf")
        attach(b"abc", "gone.pdf")
        JobFile.objects.filter(name="gone.pdf").delete()
        beside = folder / "monitio" / "scope-" / "notes" / "ours.txt"
        beside.parent.mkdir()
        beside.write_text("not ours")
        assert api.prune(timezone.now() + timedelta(days=1))["files"] == 0
        assert api.prune(timezone.now() + timedelta(days=4))["files"] == 1
        assert stored(folder) == ["kept.pdf", "ours.txt"]

    def test_leaves_no_empty_folders(self, running: JobReporter, folder: Path) -> None:
        attach(b"abc", "gone.pdf")
        JobFile.objects.all().delete()
        api.prune(timezone.now() + timedelta(days=4))
        assert list((folder / "monitio" / "scope-").iterdir()) == []

    def test_keeps_files_where_a_storage_deletes_full_folders(
        self, running: JobReporter, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def delete(storage: FileSystemStorage, name: str) -> None:
            path = Path(storage.path(name))
            shutil.rmtree(path) if path.is_dir() else path.unlink()

        attach(b"abc", "kept.pdf")
        attach(b"abc", "gone.pdf")
        JobFile.objects.filter(name="gone.pdf").delete()
        monkeypatch.setattr(FileSystemStorage, "delete", delete)
        api.prune(timezone.now() + timedelta(days=4))
        assert stored(folder) == ["kept.pdf"]

    def test_deletes_only_files_of_its_scope(self, folder: Path, settings: Any) -> None:
        settings.MONITIO_SCOPE = scopes.PATH
        with scope.activate("a"):
            mine = reporter(user())
            mine.started()
            store_file(mine.task_id, ContentFile(b"abc"), "report.pdf")
        with scope.activate("b"):
            assert api.prune(timezone.now() + timedelta(days=20))["files"] == 0
        with scope.activate("a"):
            assert api.prune(timezone.now() + timedelta(days=20))["files"] == 1
