"""Lists of tables that several tenants may share and that may be large."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist
from django.core.paginator import Paginator
from django.db.models import Max, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from monitio import scope as scopes
from monitio.recipients import accounts
from monitio.utils.text import identifier

# An exact count, every value of a column and a search would each read a whole table.
COUNTED, LISTED, SEARCHED = 10_000, 1000, 50_000
# Parameters of a list that neither filter nor sort.
PAGES = {"p", "all"}


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages of at most ``COUNTED`` rows."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNTED].count())


class RecentValues(admin.AllValuesFieldListFilter):
    """Filters by the values of the newest ``LISTED`` rows."""

    def __init__(
        self, field: Any, request: Any, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        newest = model_admin.get_queryset(request).order_by("-pk")
        choices: Any = sorted({*newest.values_list(field.name, flat=True)[:LISTED]})
        self.lookup_choices = choices


class OfThisScope:
    """The admin of one tenant or site, of a table that several may share and that may be large."""

    paginator: ClassVar[Any] = CappedPaginator
    show_full_result_count: ClassVar[bool] = False
    # Facets would count the rows of each choice.
    show_facets: ClassVar[admin.ShowFacets] = admin.ShowFacets.NEVER
    # Each row of a page is rendered from a template, which takes longer than the query.
    list_per_page: ClassVar[int] = 50
    # The way from a row to its user.
    user_path: ClassVar[str] = "user"
    search_fields: ClassVar[Any] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return rows.filter(scope=scopes.current())

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (f"^{self.user_path}__{accounts().model.USERNAME_FIELD}", *self.search_fields)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """The name of a user finds all rows of theirs, by an index.

        All else (filters, searches, orders) reads the newest ``SEARCHED`` rows, or those of a user.
        """
        with suppress(ObjectDoesNotExist, ValueError):
            if search_term:
                manager: Any = accounts().model._default_manager
                named = manager.get_by_natural_key(identifier("user name", search_term))
                return queryset.filter(**{self.user_path: named}), False
        given = request.GET.keys() - PAGES
        if given and not any(name.startswith("user") for name in given):
            newest = queryset.model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
            queryset = queryset.filter(pk__gt=newest - SEARCHED)
        return super().get_search_results(request, queryset, search_term)  # type: ignore[misc,no-any-return]

    def response_action(self, request: Any, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """To select all is to select those that the list has counted."""
        if request.POST.get("select_across") == "1":
            pks = queryset.values_list("pk", flat=True)[:COUNTED]
            queryset = queryset.filter(pk__in=list(pks))
        return super().response_action(request, queryset, *args, **kwargs)  # type: ignore[misc]
