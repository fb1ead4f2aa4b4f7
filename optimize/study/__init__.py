"""What is remembered: the study, its storages, who searches it, what becomes of the trials of the dead."""
