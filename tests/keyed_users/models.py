from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Manager(BaseUserManager[Any]):
    def create_user(self, email: str, password: str = "", **fields: Any) -> Any:
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class Base(AbstractBaseUser):
    """The smallest user model that Django accepts: without user name and real name."""

    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = True

    objects: ClassVar[Manager] = Manager()

    USERNAME_FIELD = "email"

    class Meta:
        abstract = True

    def has_perm(self, *args: Any) -> bool:
        return True

    def has_module_perms(self, *args: Any) -> bool:
        return True


class UuidUser(Base):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class TextUser(Base):
    code = models.CharField(primary_key=True, max_length=100)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.code = self.code or f"Zoë:{self.email}/42"
        super().save(*args, **kwargs)
