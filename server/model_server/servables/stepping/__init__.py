"""Recurrent servables: whole sequences served by the signatures of one step."""
