"""The report: one HTML page on which a person hears and sees what was found."""
