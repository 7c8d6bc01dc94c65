"""Who may do what where: roles and grants, and how passwords and keys are kept."""
