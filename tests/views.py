"""The smallest site that shows and adds messages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render


def home(request: HttpRequest) -> HttpResponse:
    """Show the messages of Django's framework as docs/ describes it."""
    return render(request, "tests/home.html")


def add(request: HttpRequest) -> HttpResponse:
    """Add ``text`` at ``level`` (a number) and redirect to the home page."""
    level = int(request.POST.get("level", messages.INFO))
    messages.add_message(request, level, request.POST["text"])
    return redirect("home")
