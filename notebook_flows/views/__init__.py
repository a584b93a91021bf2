"""What people see of a flow: pictures, trees and tables. Loaded when something is to be shown."""
