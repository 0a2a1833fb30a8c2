"""Mail: a message without health information, handed to the next station or put into a folder."""

from adapters.mail.mailers import FolderMailer, Mailer, Message, SmtpMailer, SmtpPlace

__all__ = ["FolderMailer", "Mailer", "Message", "SmtpMailer", "SmtpPlace"]
